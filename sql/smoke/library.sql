-- Smoke test of the library's base: what the application does all day works and gives sense.
--
-- Runs after any migration and on an empty library, inside a transaction that is rolled back. The
-- rows it writes have ids below all others, so that no sequence moves.
DO $$
DECLARE
    file_a    bigint;
    file_b    bigint;
    tag       integer;
    tag_group integer;
    job       CONSTANT uuid := '00000000-0000-0000-0000-00000000feed';
BEGIN
    IF to_regclass('files') IS NULL THEN
        RETURN;
    END IF;

    SELECT least(min(id), 0) - 1 INTO file_a FROM files;
    SELECT least(min(id), 0) - 1 INTO tag FROM tags;
    SELECT least(min(id), 0) - 1 INTO tag_group FROM duplicate_groups;
    file_b := file_a - 1;

    INSERT INTO files (id, filename, filepath, original_filename, content_hash, file_size_bytes, manufacturer, folder_tags)
    SELECT id, 'zymurgy smoke.mid', '/smoke test/' || id || '/zymurgy smoke.mid', 'zymurgy smoke.mid',
           sha256(convert_to('smoke test ' || id, 'UTF8')), 1, 'quixotry', ARRAY['xylophagous']
    FROM unnest(ARRAY[file_a, file_b]) AS id;

    -- The search finds a file by its name, its manufacturer and its folders, and by nothing else.
    IF (SELECT count(*) FROM files WHERE id IN (file_a, file_b)
        AND search_vector @@ to_tsquery('english', 'zymurgy & quixotry & xylophagous')) <> 2 THEN
        RAISE EXCEPTION 'A new file is not found by the full-text search';
    END IF;
    UPDATE files SET manufacturer = 'palimpsest', updated_at = '2000-01-01' WHERE id = file_a;
    IF NOT EXISTS (SELECT FROM files WHERE id = file_a AND search_vector @@ to_tsquery('english', 'palimpsest')
                   AND NOT search_vector @@ to_tsquery('english', 'quixotry') AND updated_at = now()) THEN
        RAISE EXCEPTION 'A changed file is not indexed anew, or its updated_at is not now';
    END IF;

    -- Tags are counted as they come and go, and the view shows them.
    INSERT INTO tags (id, name) VALUES (tag, 'smoke test zymurgy');
    INSERT INTO file_tags (file_id, tag_id) VALUES (file_a, tag), (file_b, tag);
    DELETE FROM file_tags WHERE file_id = file_b;
    IF (SELECT usage_count FROM tags WHERE id = tag) IS DISTINCT FROM 1 THEN
        RAISE EXCEPTION 'usage_count does not follow file_tags';
    END IF;
    IF (SELECT tag_names FROM files_with_tags WHERE id = file_a) IS DISTINCT FROM ARRAY['smoke test zymurgy']
       OR (SELECT tag_names FROM files_with_tags WHERE id = file_b) IS NOT NULL THEN
        RAISE EXCEPTION 'files_with_tags does not show the tags of a file';
    END IF;

    INSERT INTO musical_metadata (file_id, bpm, key_signature) VALUES (file_a, 128, 'F#m');
    INSERT INTO file_categories (file_id, primary_category) VALUES (file_a, 'BASS');
    IF NOT EXISTS (SELECT FROM files_with_metadata
                   WHERE id = file_a AND bpm = 128 AND key_signature = 'F#m' AND primary_category = 'BASS') THEN
        RAISE EXCEPTION 'files_with_metadata does not show tempo, key and category of a file';
    END IF;

    -- A file goes with everything that hangs on it, and the counts follow.
    INSERT INTO duplicate_groups (id, content_hash, canonical_file_id, duplicate_count) VALUES (tag_group, 'smoke', file_a, 0);
    INSERT INTO duplicate_files (id, group_id, file_id) VALUES (file_a, tag_group, file_a), (file_b, tag_group, file_b);
    IF (SELECT cardinality(filepaths) FROM duplicate_summary WHERE group_id = tag_group AND duplicate_count = 2) IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'duplicate_summary does not show both files of a group';
    END IF;
    DELETE FROM files WHERE id = file_a;
    IF EXISTS (SELECT FROM musical_metadata WHERE file_id = file_a) OR EXISTS (SELECT FROM file_tags WHERE file_id = file_a)
       OR (SELECT usage_count FROM tags WHERE id = tag) IS DISTINCT FROM 0
       OR (SELECT duplicate_count FROM duplicate_groups WHERE id = tag_group AND canonical_file_id IS NULL) IS DISTINCT FROM 1 THEN
        RAISE EXCEPTION 'A deleted file leaves rows or counts behind';
    END IF;

    INSERT INTO processing_jobs (id, job_type, source_directory) VALUES (job, 'smoke test', '/');
    INSERT INTO processing_errors (id, job_id, filepath) VALUES (file_a, job, '/');
    IF NOT EXISTS (SELECT FROM processing_jobs WHERE id = job AND failed_files = 1 AND settings = '{}') THEN
        RAISE EXCEPTION 'failed_files does not follow processing_errors';
    END IF;

    -- What must not go in does not go in.
    BEGIN
        INSERT INTO musical_metadata (file_id, bpm) VALUES (file_b, 301);
        RAISE EXCEPTION 'A tempo of 301 is accepted';
    EXCEPTION WHEN check_violation THEN NULL;
    END;
    BEGIN
        INSERT INTO file_tags (file_id, tag_id) VALUES (file_a, tag);
        RAISE EXCEPTION 'A tag on a file that is gone is accepted';
    EXCEPTION WHEN foreign_key_violation THEN NULL;
    END;
END;
$$;

-- Of the rows that are there, a sample is enough: production has millions.
DO $$
DECLARE
    wrong text;
BEGIN
    IF to_regclass('files') IS NULL THEN
        RETURN;
    END IF;

    SELECT string_agg(filepath, '; ') INTO wrong
    FROM (SELECT * FROM files ORDER BY id LIMIT 1000) f
    WHERE search_vector IS DISTINCT FROM
        setweight(to_tsvector('english', filename), 'A')
        || setweight(to_tsvector('english', coalesce(manufacturer, '')), 'B')
        || setweight(to_tsvector('english', coalesce(collection_name, '')), 'B')
        || setweight(to_tsvector('english', coalesce(array_to_string(folder_tags, ' '), '')), 'C');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'The full-text search does not know these files by their present names: %', wrong;
    END IF;

    -- A count of NULL was put there by hand; the trigger leaves it NULL.
    SELECT string_agg(name, '; ') INTO wrong
    FROM (SELECT * FROM tags ORDER BY id LIMIT 100) t
    WHERE usage_count <> (SELECT count(*) FROM file_tags ft WHERE ft.tag_id = t.id);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'usage_count of these tags is not the number of their files: %', wrong;
    END IF;

    IF (SELECT count(*) FROM (SELECT id FROM files_with_metadata ORDER BY id LIMIT 1000) v)
       <> (SELECT count(*) FROM (SELECT id FROM files ORDER BY id LIMIT 1000) f) THEN
        RAISE EXCEPTION 'files_with_metadata does not show each file once';
    END IF;
END;
$$;
