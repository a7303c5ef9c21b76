-- Smoke test of favorites, split tracks and enhanced tags, as far as the migrations of each are in place.
--
-- Runs after any migration and on an empty library, inside a transaction that is rolled back. The
-- rows it writes have ids below all others, so that no sequence moves.
DO $$
DECLARE
    file_a bigint;
    file_b bigint;
    tag    integer;
    groups integer;
BEGIN
    IF to_regclass('files') IS NULL THEN
        RETURN;
    END IF;
    SELECT least(min(id), 0) - 1 INTO file_a FROM files;
    SELECT least(min(id), 0) - 1 INTO tag FROM tags;
    file_b := file_a - 1;
    INSERT INTO files (id, filename, filepath, original_filename, content_hash, file_size_bytes, duration_seconds)
    SELECT id, 'smoke.mid', '/smoke test/' || id || '/smoke.mid', 'smoke.mid', sha256(convert_to('smoke test ' || id, 'UTF8')),
           1, -1000000
    FROM unnest(ARRAY[file_a, file_b]) AS id;

    IF to_regclass('favorites') IS NOT NULL THEN
        INSERT INTO favorites (id, file_id) VALUES (file_a, file_a);
        BEGIN
            INSERT INTO favorites (id, file_id) VALUES (file_b, file_a);
            RAISE EXCEPTION 'A file can be a favorite twice';
        EXCEPTION WHEN unique_violation THEN NULL;
        END;
        IF NOT EXISTS (SELECT FROM favorites JOIN files ON files.id = file_id WHERE file_id = file_a) THEN
            RAISE EXCEPTION 'A new favorite is not found';
        END IF;
    END IF;

    IF to_regclass('track_splits') IS NOT NULL THEN
        INSERT INTO track_splits (id, parent_file_id, split_file_id, track_number) VALUES (file_a, file_a, file_b, 0);
        BEGIN
            INSERT INTO track_splits (id, parent_file_id, split_file_id, track_number) VALUES (file_b, file_b, file_a, -1);
            RAISE EXCEPTION 'A track number of -1 is accepted';
        EXCEPTION WHEN check_violation THEN NULL;
        END;
    END IF;

    IF to_regclass('tag_suggestions') IS NOT NULL THEN
        SELECT least(min(id), 0) - 1 INTO groups FROM tag_categories;
        INSERT INTO tag_categories (id, name) VALUES (groups, 'smoke test');
        INSERT INTO tags (id, name, category_id, confidence_score) VALUES (tag, 'smoke test', groups, 0.5);
        IF (SELECT array_agg(tag_name::text) FROM get_tags_by_category('smoke test')) IS DISTINCT FROM ARRAY['smoke test'] THEN
            RAISE EXCEPTION 'get_tags_by_category() does not find a new tag';
        END IF;

        -- The two files are alike in duration; what one carries is suggested for the other.
        INSERT INTO file_tags (file_id, tag_id) VALUES (file_a, tag);
        IF NOT EXISTS (SELECT FROM suggest_tags_from_similar_files(file_b) s
                       WHERE s.tag_id = tag AND s.confidence = 0.01 AND s.usage_frequency = 1)
           OR EXISTS (SELECT FROM suggest_tags_from_similar_files(file_a) s WHERE s.tag_id = tag) THEN
            RAISE EXCEPTION 'suggest_tags_from_similar_files() does not suggest the tag of the similar file';
        END IF;

        INSERT INTO tag_suggestions (id, file_id, suggested_tag_id, confidence, source) VALUES (tag, file_b, tag, 0.9, 'smoke');
        IF NOT EXISTS (SELECT FROM pending_tag_suggestions WHERE id = tag AND tag_category = 'smoke test') THEN
            RAISE EXCEPTION 'pending_tag_suggestions does not show a new suggestion';
        END IF;
        UPDATE tag_suggestions SET is_accepted = true WHERE id = tag;
        IF EXISTS (SELECT FROM pending_tag_suggestions WHERE id = tag)
           OR NOT EXISTS (SELECT FROM popular_tags_by_category WHERE tag_name = 'smoke test' AND usage_count = 1)
           OR (SELECT count(*) FROM tags_with_categories) <> (SELECT count(*) FROM tags WHERE is_active) THEN
            RAISE EXCEPTION 'The views of the enhanced tags do not agree with their tables';
        END IF;
    END IF;

    -- What hangs on a file goes with it. One IF for each table: naming one that is not there is an error.
    DELETE FROM files WHERE id IN (file_a, file_b);
    IF to_regclass('favorites') IS NOT NULL THEN
        IF EXISTS (SELECT FROM favorites WHERE file_id = file_a) THEN
            RAISE EXCEPTION 'A deleted file stays a favorite';
        END IF;
    END IF;
    IF to_regclass('track_splits') IS NOT NULL THEN
        IF EXISTS (SELECT FROM track_splits WHERE parent_file_id = file_a) THEN
            RAISE EXCEPTION 'A deleted file leaves its splits behind';
        END IF;
    END IF;
    IF to_regclass('tag_suggestions') IS NOT NULL THEN
        IF EXISTS (SELECT FROM tag_suggestions WHERE file_id = file_b) THEN
            RAISE EXCEPTION 'A deleted file leaves its suggestions behind';
        END IF;
    END IF;
END;
$$;
