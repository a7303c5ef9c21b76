-- ============================================================================
-- Migration: 001_initial_schema.sql
-- Rollback: rollback/001_initial_schema_rollback.sql
-- Description: Drops the whole base schema: views, tables, functions, types, and the
--              extensions that 001 created and nobody else uses.
-- Risk Level: CRITICAL
-- Data Loss: COMPLETE
-- Requires: none
-- Transaction: one
-- ============================================================================
--
-- Lost: every row of the library. Take a backup and prove it first.
--
-- Refuses while a later migration is in place, asking the catalog and not only
-- schema_migrations. Nothing is dropped with CASCADE: an object of others that
-- depends on one of these makes the script stop and PostgreSQL name it.

BEGIN;

DO $$
DECLARE
    later text;
    grown text;
BEGIN
    IF to_regclass('files') IS NULL OR to_regclass('schema_migrations') IS NULL THEN
        RAISE EXCEPTION 'Migration 001 is not in place: there is no table files or no table schema_migrations';
    END IF;

    SELECT string_agg(DISTINCT version, ', ' ORDER BY version)
    INTO later
    FROM (
        SELECT version FROM schema_migrations WHERE version <> '001'
        UNION ALL
        SELECT mark.version
        FROM (VALUES
            ('002', 'files', 'parent_folder'),
            ('003', 'favorites', NULL),
            ('006', 'track_splits', NULL),
            ('007', 'tag_categories', NULL),
            ('008', 'files', 'metadata_source'),
            ('009', 'files', 'track_names'),
            ('010', 'musical_metadata', 'chord_progression'),
            ('011', 'musical_metadata', 'controller_data'),
            ('update_normalized_filenames', 'normalized_filenames.renamed_file', NULL)
        ) AS mark (version, relation, name)
        WHERE to_regclass(mark.relation) IS NOT NULL
          AND (mark.name IS NULL OR EXISTS (
              SELECT FROM pg_attribute
              WHERE attrelid = to_regclass(mark.relation) AND attname = mark.name AND NOT attisdropped
          ))
    ) found;
    IF later IS NOT NULL THEN
        RAISE EXCEPTION 'Migration 001 cannot be rolled back under later migrations: %', later
            USING HINT = 'Roll those back first, newest first.';
    END IF;

    -- Columns of a migration that is not in the list above, or of half a migration.
    SELECT string_agg(format('%s has %s columns instead of %s', made.relation, present.columns, made.columns), '; ')
    INTO grown
    FROM (VALUES
        ('files', 23), ('musical_metadata', 29), ('file_categories', 8), ('file_instruments', 13), ('tags', 5),
        ('file_tags', 4), ('file_embeddings', 8), ('file_compatibility', 11), ('duplicate_groups', 6),
        ('duplicate_files', 5), ('rhythm_patterns', 12), ('harmonic_patterns', 13), ('melodic_patterns', 15),
        ('processing_jobs', 14), ('processing_errors', 7), ('schema_migrations', 4)
    ) AS made (relation, columns)
    CROSS JOIN LATERAL (
        SELECT count(*) AS columns
        FROM pg_attribute
        WHERE attrelid = to_regclass(made.relation) AND attnum > 0 AND NOT attisdropped
    ) present
    WHERE present.columns <> made.columns;
    IF grown IS NOT NULL THEN
        RAISE EXCEPTION 'These tables are not as migration 001 made them: %', grown;
    END IF;
END;
$$;

DROP VIEW duplicate_summary;
DROP VIEW files_with_tags;
DROP VIEW files_with_metadata;

-- From the leaves to the root. Indexes, triggers, constraints and sequences go along.
DROP TABLE processing_errors;
DROP TABLE processing_jobs;
DROP TABLE melodic_patterns;
DROP TABLE harmonic_patterns;
DROP TABLE rhythm_patterns;
DROP TABLE duplicate_files;
DROP TABLE duplicate_groups;
DROP TABLE file_compatibility;
DROP TABLE file_embeddings;
DROP TABLE file_tags;
DROP TABLE tags;
DROP TABLE file_instruments;
DROP TABLE file_categories;
DROP TABLE musical_metadata;
DROP TABLE files;

DROP FUNCTION update_job_progress();
DROP FUNCTION update_duplicate_group_count();
DROP FUNCTION update_tag_usage_count();
DROP FUNCTION update_updated_at_column();
DROP FUNCTION files_search_vector_update();

DROP TYPE musical_key;
DROP TYPE file_category;

-- The version row says which extensions 001 created; one that was there before is
-- not among them. Of those, one that objects of others have come to use refuses to
-- be dropped, and stays.
DO $$
DECLARE
    created   text;
    extension text;
    users     text;
BEGIN
    SELECT substring(description FROM 'extensions created: (.*)$') INTO created
    FROM schema_migrations
    WHERE version = '001';

    FOR extension IN
        SELECT extname
        FROM pg_extension
        WHERE extname IN ('pg_trgm', 'vector') AND extname = ANY (string_to_array(created, ', '))
    LOOP
        BEGIN
            EXECUTE format('DROP EXTENSION %I', extension);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            GET STACKED DIAGNOSTICS users = PG_EXCEPTION_DETAIL;
            RAISE NOTICE 'Extension % stays, others use it: %', extension, users;
        END;
    END LOOP;
END;
$$;

-- Last, and with it the record of 001 itself.
DROP TABLE schema_migrations;

COMMIT;
