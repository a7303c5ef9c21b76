-- Smoke test of what is known of a file: parent folder, facts from its name, text events, chords, JSON analyses,
-- as far as the migrations of each are in place.
--
-- Runs after any migration and on an empty library, inside a transaction that is rolled back. The
-- rows it writes have ids below all others, so that no sequence moves.
DO $$
DECLARE
    file_a  bigint;
    columns text[];
    stats   jsonb;
    refused boolean;
BEGIN
    IF to_regclass('files') IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(attname::text) INTO columns
    FROM pg_attribute
    WHERE attrelid IN (to_regclass('files'), to_regclass('musical_metadata')) AND attnum > 0 AND NOT attisdropped;

    SELECT least(min(id), 0) - 1 INTO file_a FROM files;
    INSERT INTO files (id, filename, filepath, original_filename, content_hash, file_size_bytes)
    VALUES (file_a, 'smoke.mid', '/smoke test/smoke.mid', 'smoke.mid', sha256('smoke test'), 1);
    INSERT INTO musical_metadata (file_id) VALUES (file_a);

    IF 'parent_folder' = ANY (columns) THEN
        UPDATE files SET parent_folder = 'smoke test' WHERE id = file_a;
        IF NOT EXISTS (SELECT FROM files WHERE parent_folder = 'smoke test' AND id = file_a) THEN
            RAISE EXCEPTION 'A file is not found by its parent folder';
        END IF;
    END IF;

    IF 'metadata_source' = ANY (columns) THEN
        IF (SELECT metadata_source FROM files WHERE id = file_a) IS DISTINCT FROM 'none' THEN
            RAISE EXCEPTION 'The metadata source of a new file is not none';
        END IF;
        UPDATE files SET filename_bpm = 174, filename_key = 'F#m', filename_genres = ARRAY['dnb'], metadata_source = 'filename'
        WHERE id = file_a;
        IF NOT EXISTS (SELECT FROM files WHERE filename_genres @> ARRAY['dnb'] AND filename_bpm BETWEEN 170 AND 180 AND id = file_a) THEN
            RAISE EXCEPTION 'A file is not found by the genre and tempo in its name';
        END IF;
        BEGIN
            UPDATE files SET metadata_source = 'guessed' WHERE id = file_a;
            refused := false;
        EXCEPTION WHEN check_violation THEN
            refused := true;
        END;
        IF NOT refused THEN
            RAISE EXCEPTION 'An unknown metadata source is accepted';
        END IF;
    END IF;

    IF 'track_names' = ANY (columns) THEN
        UPDATE files SET markers = ARRAY['smoke test zymurgy'] WHERE id = file_a;
        IF (SELECT (id, has_lyrics) FROM search_files_by_text_metadata(p_marker => 'smoke test zymurgy', p_has_lyrics => false))
           IS DISTINCT FROM (file_a, false) THEN
            RAISE EXCEPTION 'A file without lyrics is not found among those without lyrics';
        END IF;
        UPDATE files SET lyrics = ARRAY['la'], track_names = ARRAY['Smoke'], copyright = '(c) Smoke Test' WHERE id = file_a;
        IF (SELECT (id, has_lyrics) FROM search_files_by_text_metadata('Smoke', 'smoke test', NULL, 'smoke test zymurgy', true))
           IS DISTINCT FROM (file_a, true) THEN
            RAISE EXCEPTION 'A file is not found by its text events';
        END IF;
        IF NOT EXISTS (SELECT FROM files_with_text_metadata WHERE id = file_a AND track_count = 1 AND lyric_line_count = 1
                       AND instrument_count IS NULL) THEN
            RAISE EXCEPTION 'files_with_text_metadata does not count the text events of a file';
        END IF;
        -- Once, and not a call for each line: it reads the whole table.
        SELECT jsonb_object_agg(metric, count) INTO stats FROM get_text_metadata_stats();
        IF (stats ->> 'Total Files')::bigint <> (SELECT count(*) FROM files)
           OR (stats ->> 'Files with Any Text Metadata')::bigint <> (SELECT count(*) FROM files_with_text_metadata) THEN
            RAISE EXCEPTION 'get_text_metadata_stats() does not agree with the files';
        END IF;
    END IF;

    IF 'chord_progression' = ANY (columns) THEN
        UPDATE musical_metadata SET chord_progression = '["Am7", "D9"]', chord_types = ARRAY['minor7'], has_seventh_chords = true
        WHERE file_id = file_a;
        IF NOT EXISTS (SELECT FROM musical_metadata WHERE chord_progression ? 'D9' AND chord_types && ARRAY['minor7']
                       AND has_seventh_chords AND NOT has_extended_chords AND file_id = file_a) THEN
            RAISE EXCEPTION 'A file is not found by its chords';
        END IF;
    END IF;

    IF 'structure_data' = ANY (columns) THEN
        UPDATE musical_metadata SET controller_data = '[{"cc": 64, "name": "Sustain"}]', structure_data = '{"num_segments": 4}'
        WHERE file_id = file_a;
        IF NOT EXISTS (SELECT FROM musical_metadata WHERE controller_data @> '[{"cc": 64}]'
                       AND (structure_data ->> 'num_segments')::integer = 4 AND articulation_data IS NULL AND file_id = file_a) THEN
            RAISE EXCEPTION 'A file is not found by its controllers and structure';
        END IF;
    END IF;
END;
$$;
