-- Sample rows for the tables of 001_initial_schema: a believable library with its odd ones.
--
-- How many files: SET sample.files = 60; before, otherwise 10000. The same number gives the same
-- rows: values are computed from the row's number, times are fixed. Triggers stay enabled, so
-- search_vector, usage_count, duplicate_count and failed_files are what the application would get.

-- The odd names come first, so that a small sample has them too. Normalised, no two of them meet.
-- The number is a bigint: its products with the primes below leave integer's range above 20,000 files.
WITH setting AS (
    SELECT coalesce(nullif(current_setting('sample.files', true), ''), '10000')::bigint AS files
), odd (i, folder, filename) AS (
    VALUES
        (1, '/library/unicode/', U&'Caf\00E9 del Mar.mid'),                  -- composed: NFC
        (2, '/library/unicode/', U&'Cafe\0301 Nocturne.mid'),                -- decomposed: NFD
        (3, '/library/unicode/', '日本語 メロディ.mid'),
        (4, '/library/unicode/', 'русская песня.MID'),
        (5, '/library/unicode/', U&'\FB01nal \FB02ourish.mid'),              -- ligatures fi and fl
        (6, '/library/unicode/', '🎹 keys.mid'),
        (7, '/library/odd/', 'It''s "quoted".mid'),
        (8, 'C:\Music\Loops\', 'Dark Bass.MIDI'),
        (9, '/library/odd/', 'back\slash one.mid'),
        (10, '/library/odd/', '???.mid'),
        (11, '/library/odd/', '!!!.mid'),
        (12, '/library/kit a/', 'kick.mid'),
        (13, '/library/kit b/', 'kick.mid'),
        (14, '/library/odd/', 'x.MID '),
        (15, '/library/odd/', U&'tab\0009here\00A0and no-break.mid'),
        (16, '/library/odd/', '-_lead_-.mid'),
        (17, '/library/odd/', 'six .mid'),
        (18, '', 'bare name.mid'),
        (19, '/library/My Song.mid stems/', 'My Song.mid'),
        (20, '/library/odd/', repeat('long ', 40) || '.mid'),
        (21, '/library/odd/', '名前.midi'),
        (22, '/library/odd/', 'ALL CAPS.MID'),
        (23, '/library/odd/', 'no extension'),
        (24, '/library/case/', 'Twin.mid'),
        (25, '/library/case/', 'twin.mid'),
        (26, '/library/odd/', '100%_wild\.mid')
), named AS (
    SELECT i,
           coalesce(o.folder, format('/library/pack_%s/%s/', i % 37, (ARRAY['drums', 'bass lines', 'pads', 'fx'])[1 + i % 4]))
               || CASE WHEN o.i IS NULL AND i % 10 = 0 THEN format('set_%s/', i) ELSE '' END AS folder,
           coalesce(o.filename, CASE
               WHEN i % 10 = 0 THEN 'kick.mid'                               -- one name in many folders
               WHEN i % 7 = 0 THEN format('Deep House Loop %s.mid', i)
               WHEN i % 11 = 0 THEN format('ACID_%s.MID', i)
               ELSE format('%s_%s_%s.mid', (ARRAY['dark', 'warm', 'soft', 'hard'])[1 + i % 4],
                           (ARRAY['bass', 'lead', 'pad', 'arp', 'snare'])[1 + i % 5], i)
           END) AS filename
    FROM setting
    CROSS JOIN generate_series(1, setting.files - setting.files / 50) AS i
    LEFT JOIN odd o USING (i)
)
INSERT INTO files (
    filename, filepath, original_filename, content_hash, file_size_bytes, format, num_tracks, ticks_per_quarter_note,
    duration_seconds, duration_ticks, manufacturer, collection_name, folder_tags, created_at, updated_at, analyzed_at,
    import_batch_id
)
SELECT filename,
       -- One row whose name and path disagree, as after a rename in the application only.
       CASE i WHEN 23 THEN '/library/odd/another name on disk.mid' ELSE folder || filename END,
       filename,
       sha256(convert_to('content of file ' || i, 'UTF8')),
       CASE i WHEN 1 THEN 0 WHEN 2 THEN 9223372036854775807 ELSE 200 + (i * 7919) % 60000 END,
       (ARRAY[0, 1, 2, NULL])[1 + i % 4],
       CASE i WHEN 1 THEN -32768 WHEN 2 THEN 32767 ELSE 1 + i % 16 END,
       CASE i WHEN 1 THEN -2147483648 WHEN 2 THEN 2147483647 WHEN 3 THEN NULL ELSE 96 * (1 + i % 10) END,
       CASE i WHEN 1 THEN 0 WHEN 2 THEN 9999999.999 WHEN 3 THEN NULL WHEN 4 THEN -9999999.999
              ELSE ((i * 104729) % 600000) / 1000.0 END,
       CASE i WHEN 1 THEN 0 WHEN 2 THEN 9223372036854775807 WHEN 3 THEN NULL ELSE (i * 104729) % 1000000 END,
       (ARRAY['Vengeance', 'Loopmasters', 'Ümlaut & Söhne', '', NULL])[1 + i % 5],
       CASE WHEN i % 6 = 0 THEN NULL ELSE format('Collection %s', i % 23) END,
       CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY['house', NULL, 'O''Brien "live"', 'a\b', '{x,y}']
              ELSE ARRAY['techno', 'pack ' || i % 37] END,
       CASE i WHEN 1 THEN '1970-01-01 00:00:00+00' WHEN 2 THEN '9999-12-31 23:59:59.999999+00' WHEN 3 THEN NULL
              ELSE timestamptz '2024-01-01 00:00:00+00' + i * interval '61 seconds' END,
       CASE i WHEN 3 THEN NULL ELSE timestamptz '2024-06-01 12:00:00.123456+00' + i * interval '1 second' END,
       CASE WHEN i % 3 = 0 THEN timestamptz '2024-07-01 00:00:00+00' + i * interval '1 second' END,
       CASE WHEN i % 4 > 0 THEN md5('batch ' || i % 9)::uuid END
FROM named
ORDER BY i;

-- Files cut out of others. They come after their parents, because valid_multi_track asks for one.
INSERT INTO files (
    filename, filepath, original_filename, content_hash, file_size_bytes, format, is_multi_track, parent_file_id,
    track_number, total_tracks, created_at, updated_at
)
SELECT format('track %s of %s.mid', parent.place % 16, parent.id),
       format('/library/splits/%s/track %s of %s.mid', parent.id, parent.place % 16, parent.id),
       parent.original_filename,
       sha256(convert_to('track of file ' || parent.id, 'UTF8')),
       100 + parent.id, 0, true, parent.id,
       CASE parent.place WHEN 40 THEN -32768 WHEN 80 THEN 32767 ELSE parent.place % 16 END, 16,
       timestamptz '2024-02-01 00:00:00+00' + parent.place * interval '1 minute',
       timestamptz '2024-02-01 00:00:00+00' + parent.place * interval '1 minute'
FROM (SELECT id, original_filename, row_number() OVER (ORDER BY id) AS place FROM files) parent
WHERE parent.place % 40 = 0
  AND parent.place / 40 <= coalesce(nullif(current_setting('sample.files', true), ''), '10000')::integer / 50
ORDER BY parent.id;

INSERT INTO musical_metadata (
    file_id, bpm, bpm_confidence, has_tempo_changes, tempo_changes, key_signature, key_confidence, has_key_changes,
    key_changes, time_signature_numerator, time_signature_denominator, has_time_signature_changes,
    time_signature_changes, total_notes, unique_pitches, pitch_range_min, pitch_range_max, avg_velocity, note_density,
    polyphony_max, polyphony_avg, is_monophonic, is_polyphonic, is_percussive, has_chords, chord_complexity, has_melody,
    melodic_range, created_at
)
SELECT id,
       CASE place WHEN 1 THEN 20 WHEN 2 THEN 300 WHEN 3 THEN NULL ELSE 60 + (place * 37) % 12000 / 100.0 END,
       CASE WHEN place % 5 > 0 THEN (place % 100) / 100.0 END,
       place % 9 = 0,
       CASE place % 9 WHEN 0 THEN jsonb_build_array(jsonb_build_object('tick', 0, 'bpm', 120),
                                                    jsonb_build_object('tick', 1920, 'bpm', 128.5))
                      WHEN 1 THEN '[]' END,
       (SELECT enum_range(NULL::musical_key))[1 + place % 35],
       CASE place WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE (place % 90) / 100.0 END,
       place % 13 = 0,
       CASE WHEN place % 13 = 0 THEN jsonb_build_array(jsonb_build_object('tick', place, 'key', 'Am')) END,
       CASE place WHEN 1 THEN -32768 WHEN 2 THEN 32767 WHEN 3 THEN NULL ELSE 3 + place % 5 END, 4, place % 17 = 0,
       CASE WHEN place % 17 = 0 THEN '[{"tick": 0, "numerator": 7, "denominator": 8}]'::jsonb END,
       CASE place WHEN 1 THEN 0 WHEN 2 THEN 2147483647 ELSE (place * 31) % 5000 END,
       place % 88,
       CASE place WHEN 3 THEN NULL WHEN 4 THEN 0 ELSE 20 + place % 40 END,
       CASE place WHEN 3 THEN NULL WHEN 4 THEN 127 ELSE 70 + place % 50 END,
       CASE place WHEN 2 THEN 999.99 WHEN 3 THEN NULL ELSE (place * 17) % 12700 / 100.0 END,
       CASE place WHEN 2 THEN 99999.999 ELSE place % 40 END,
       place % 12, (place % 120) / 10.0, place % 4 = 0, place % 4 > 0, place % 5 = 0, place % 3 = 0,
       CASE place WHEN 1 THEN 'NaN'::real WHEN 2 THEN 3.4028235e38 ELSE (place % 100) / 100.0 END,
       place % 2 = 0, place % 60,
       timestamptz '2024-07-01 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 10 <> 7;                                                        -- not every file is analysed

INSERT INTO file_categories (
    file_id, primary_category, secondary_category, tertiary_category, confidence_score, is_manual, detected_from, created_at
)
SELECT id,
       (SELECT enum_range(NULL::file_category))[1 + place % 43],
       CASE WHEN place % 3 > 0 THEN (SELECT enum_range(NULL::file_category))[1 + (place + 1) % 43] END,
       CASE WHEN place % 3 > 1 THEN (SELECT enum_range(NULL::file_category))[1 + (place + 2) % 43] END,
       CASE place WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN NULL ELSE (place % 100) / 100.0 END,
       place % 8 = 0, (ARRAY['filename', 'folder', 'notes', NULL])[1 + place % 4],
       timestamptz '2024-07-02 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 5 > 0;

INSERT INTO file_instruments (
    file_id, channel, program_number, program_name, instrument_family, instrument_type, note_count, is_primary,
    avg_velocity, pitch_range_low, pitch_range_high, created_at
)
SELECT id, (place + track) % 16, CASE place WHEN 1 THEN 0 WHEN 2 THEN 127 ELSE (place * 3 + track) % 128 END,
       (ARRAY['Acoustic Grand Piano', 'Synth Bass 1', 'Пианино', '', NULL])[1 + (place + track) % 5],
       (ARRAY['Piano', 'Bass', NULL])[1 + (place + track) % 3],
       CASE WHEN place % 2 = 0 THEN 'melodic' END,
       CASE place WHEN 1 THEN NULL WHEN 2 THEN 2147483647 ELSE place % 700 END,
       track = 0, (place % 128)::numeric, CASE place WHEN 3 THEN NULL ELSE place % 64 END, 64 + place % 64,
       timestamptz '2024-07-03 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
CROSS JOIN generate_series(0, 1) AS track
WHERE place % 3 > 0 OR track = 0
ORDER BY id, track;

-- Nine of these names are in the seed of 007, which must leave the tags themselves as they are.
INSERT INTO tags (name, category, usage_count, created_at)
SELECT name, category, usage_count, timestamptz '2024-03-01 00:00:00+00' + place * interval '1 hour'
FROM (VALUES
    (1, 'house', 'genre', 0), (2, 'bass', 'instrument', 0), (3, 'loop', NULL, 0), (4, 'jazz', 'genre', 0),
    (5, 'drums', 'instrument', 0), (6, 'ambient', 'genre', 0), (7, 'melody', NULL, 0), (8, 'piano', 'instrument', 0),
    (9, 'kick', 'instrument', 0), (10, 'my favourites', NULL, 0), (11, 'Größe', 'mood', 0), (12, '日本', NULL, 0),
    (13, 'it''s "odd" \ {tag}', NULL, 0), (14, '', NULL, 0), (15, 'counted by nobody', NULL, NULL),
    (16, 'very long ' || repeat('tag ', 60), NULL, 0)
) AS tag (place, name, category, usage_count)
ORDER BY place;

-- Enough of them that the trigger does not count thousands of uses into one row: in one
-- transaction each count leaves a dead version of the row behind, and the next has to pass it.
INSERT INTO tags (name, category, created_at)
SELECT 'pack tag ' || place, 'pack', timestamptz '2024-03-02 00:00:00+00' + place * interval '1 minute'
FROM generate_series(1, coalesce(nullif(current_setting('sample.files', true), ''), '10000')::integer / 20) AS place
ORDER BY place;

INSERT INTO file_tags (file_id, tag_id, added_at, added_by)
SELECT f.id, t.id, timestamptz '2024-08-01 00:00:00+00' + f.place * interval '1 second',
       (ARRAY['system', 'user', 'O''Brien', NULL])[1 + f.place % 4]
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
CROSS JOIN generate_series(0, 1) AS nth
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM tags WHERE usage_count = 0) t
    ON t.place = 1 + (f.place * (1 + nth * 6) + nth) % (SELECT count(*) FROM tags WHERE usage_count = 0)
WHERE f.place % 4 > 0 AND (nth = 0 OR f.place % 5 = 0)
ORDER BY f.id, t.id;

-- Of every twentieth file only: 1536 numbers a file. As the numbers repeat, 302 vectors do for any number of files.
WITH overall AS MATERIALIZED (
    SELECT phase, array_agg(((phase * d) % 201 - 100) / 100.0::real ORDER BY d)::vector AS wave
    FROM generate_series(0, 200) AS phase CROSS JOIN generate_series(1, 768) AS d
    GROUP BY phase
), part AS MATERIALIZED (
    SELECT phase, array_agg(((phase * d) % 101 - 50) / 50.0::real ORDER BY d)::vector AS wave
    FROM generate_series(0, 100) AS phase CROSS JOIN generate_series(1, 256) AS d
    GROUP BY phase
)
INSERT INTO file_embeddings (
    file_id, overall_embedding, rhythmic_embedding, harmonic_embedding, melodic_embedding, model_version, generated_at,
    embedding_quality
)
SELECT f.id,
       CASE WHEN f.place = 1 THEN array_fill(0, ARRAY[768])::vector ELSE overall.wave END,
       part.wave, part.wave,
       CASE WHEN f.place % 3 > 0 THEN part.wave END,
       CASE WHEN f.place % 2 = 0 THEN 'model-2' END, timestamptz '2024-09-01 00:00:00+00' + f.place * interval '1 minute',
       CASE f.place WHEN 1 THEN 0 WHEN 21 THEN 1 WHEN 41 THEN NULL ELSE (f.place % 100) / 100.0 END
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
JOIN overall ON overall.phase = f.place % 201
JOIN part ON part.phase = f.place % 101
WHERE f.place % 20 = 1;

INSERT INTO file_compatibility (
    file_id_a, file_id_b, overall_score, rhythmic_score, harmonic_score, melodic_score, timbral_score, key_compatible,
    bpm_compatible, time_signature_compatible, computed_at
)
SELECT id, next_id,
       CASE place WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN NULL ELSE (place % 101) / 100.0 END,
       CASE place WHEN 1 THEN -9.99 WHEN 2 THEN 9.99 ELSE (place % 90) / 100.0 END,
       (place % 80) / 100.0, (place % 70) / 100.0, NULL, place % 2 = 0, (ARRAY[true, false, NULL])[1 + place % 3], true,
       timestamptz '2024-09-02 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, lead(id) OVER (ORDER BY id) AS next_id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE next_id IS NOT NULL AND place % 2 = 1 OR place = 2;

INSERT INTO duplicate_groups (content_hash, canonical_file_id, total_size_bytes, created_at)
SELECT sha256(convert_to('duplicate ' || place, 'UTF8')), CASE WHEN place % 80 > 0 THEN id END,
       CASE place WHEN 20 THEN 9223372036854775807 WHEN 40 THEN NULL ELSE place * 100 END,
       timestamptz '2024-09-03 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 20 = 0
ORDER BY id;

INSERT INTO duplicate_files (group_id, file_id, is_canonical, added_at)
SELECT g.id, f.id, f.place % 20 = 0, timestamptz '2024-09-03 12:00:00+00' + f.place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM duplicate_groups) g
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f ON g.place = (f.place + 1) / 20
WHERE f.place % 20 IN (0, 19)
ORDER BY f.id;

WITH groove AS MATERIALIZED (
    SELECT phase, array_agg((phase + d) % 16 / 16.0 ORDER BY d)::vector AS template
    FROM generate_series(0, 15) AS phase CROSS JOIN generate_series(1, 16) AS d
    GROUP BY phase
)
INSERT INTO rhythm_patterns (
    file_id, pattern_type, pattern_signature, onset_times, inter_onset_intervals, swing_factor, groove_template,
    syncopation_score, pattern_length_beats, pattern_complexity, created_at
)
SELECT id, (ARRAY['four on the floor', 'breakbeat', NULL])[1 + place % 3], decode(md5('rhythm ' || place), 'hex'),
       CASE place % 4 WHEN 0 THEN '{}' WHEN 1 THEN NULL ELSE ARRAY[0, 120, 240, place::integer] END,
       ARRAY[120, 120, NULL], CASE place WHEN 1 THEN 9.99 WHEN 3 THEN -9.99 ELSE (place % 100) / 100.0 END,
       CASE WHEN place % 5 > 0 THEN groove.template END,
       (place % 50) / 50.0, 4 * (1 + place % 8), CASE place WHEN 1 THEN '-Infinity'::real ELSE (place % 10) / 10.0 END,
       timestamptz '2024-09-04 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
JOIN groove ON groove.phase = place % 16
WHERE place % 2 = 1
ORDER BY id;

INSERT INTO harmonic_patterns (
    file_id, chord_sequence, chord_types, chord_roots, roman_numerals, harmonic_rhythm, progression_length,
    harmonic_complexity, uses_seventh_chords, uses_extended_chords, progression_hash, created_at
)
SELECT id, CASE place % 6 WHEN 0 THEN '{}' WHEN 3 THEN ARRAY['Am', 'F', 'C', 'G'] END, ARRAY['minor', 'major'],
       ARRAY[9, 5, 0, 7], ARRAY['vi', 'IV', 'I', 'V'], ARRAY[4, 4, 4, 4], 4, (place % 100) / 100.0, place % 4 = 0,
       place % 8 = 0, CASE WHEN place % 9 > 0 THEN decode(md5('chords ' || place % 50), 'hex') ELSE '' END,
       timestamptz '2024-09-05 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 3 = 0
ORDER BY id;

INSERT INTO melodic_patterns (
    file_id, pitch_sequence, interval_sequence, contour_direction, note_durations, rhythmic_motif, motif_count,
    sequence_count, repetition_score, melodic_range, avg_interval_size, stepwise_motion_ratio, melodic_hash, created_at
)
SELECT id, ARRAY[60, 62, 64, -32768, 32767]::smallint[], CASE WHEN place % 8 > 0 THEN ARRAY[2, 2, -4]::smallint[] END,
       CASE place % 8 WHEN 0 THEN '{}' ELSE ARRAY['up', 'up', 'down'] END, ARRAY[240, 240, 480], 'x-x-' || place % 7,
       place % 9, place % 3, (place % 100) / 100.0, place % 36,
       CASE place WHEN 4 THEN 99.99 WHEN 8 THEN -99.99 ELSE (place % 500) / 100.0 END, (place % 100) / 100.0,
       decode(md5('melody ' || place), 'hex'), timestamptz '2024-09-06 00:00:00+00' + place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 4 = 0
ORDER BY id;

INSERT INTO processing_jobs (
    id, job_type, source_directory, total_files, processed_files, skipped_files, status, error_message, started_at,
    completed_at, estimated_completion, settings, created_at
)
SELECT md5('job ' || place)::uuid, (ARRAY['import', 'analysis', 'splitting'])[1 + place % 3],
       (ARRAY['/library', 'C:\Music\Loops', '/library/kit a'])[1 + place % 3],
       CASE place WHEN 1 THEN 0 WHEN 2 THEN 2147483647 ELSE 1000 END, CASE place WHEN 1 THEN 0 ELSE 990 END, place,
       (ARRAY['pending', 'running', 'completed', 'failed', NULL])[1 + place % 5],
       CASE WHEN place % 5 = 3 THEN E'cannot read "/library/x"\nsecond line' END,
       CASE WHEN place % 5 > 0 THEN timestamptz '2024-10-01 00:00:00+00' + place * interval '1 hour' END,
       CASE WHEN place % 5 > 1 THEN timestamptz '2024-10-01 00:30:00+00' + place * interval '1 hour' END, NULL,
       (ARRAY['{}', '{"threads": 4, "path": "C:\\Music", "naïve": [null, 1e10, "\u00e9"]}', 'null', NULL])[1 + place % 4]::jsonb,
       timestamptz '2024-10-01 00:00:00+00' + place * interval '1 hour'
FROM generate_series(1, 20) AS place;

INSERT INTO processing_errors (job_id, filepath, error_type, error_message, stack_trace, occurred_at)
SELECT md5('job ' || 1 + place % 20)::uuid, filepath, (ARRAY['parse', 'io', NULL])[1 + place % 3], 'truncated chunk in ' || filename,
       CASE WHEN place % 60 = 0 THEN repeat(E'at analyse()\n', 300) END,
       timestamptz '2024-10-01 00:00:00+00' + place * interval '1 second'
FROM (SELECT filepath, filename, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 30 = 0
ORDER BY place;
