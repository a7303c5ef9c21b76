-- ============================================================================
-- Migration: 009_text_metadata.sql
-- Rollback: rollback/009_text_metadata_rollback.sql
-- Description: Drops the view, the two functions and the five columns for text events.
-- Risk Level: LOW
-- Data Loss: PARTIAL
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: the values of the five columns, until the files are analysed again.

BEGIN;

-- Only columns of the types that 009 gave them are its own.
DO $$
DECLARE
    present integer;
    strange text;
BEGIN
    SELECT count(a.attname),
           string_agg(format('%s is %s, not %s', a.attname, format_type(a.atttypid, a.atttypmod), expected.type), '; ')
               FILTER (WHERE format_type(a.atttypid, a.atttypmod) <> expected.type)
    INTO present, strange
    FROM (VALUES
        ('track_names',           'text[]'),
        ('copyright',             'text'),
        ('instrument_names_text', 'text[]'),
        ('markers',               'text[]'),
        ('lyrics',                'text[]')
    ) AS expected (name, type)
    LEFT JOIN pg_attribute a
        ON a.attrelid = to_regclass('files') AND a.attname = expected.name AND NOT a.attisdropped;

    IF present < 5 THEN
        RAISE EXCEPTION 'Migration 009 is not in place as a whole: files has % of its 5 columns', present;
    END IF;
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'Not the columns of migration 009, in table files: %', strange;
    END IF;
END;
$$;

-- The view first: it holds the columns fast. The functions the catalog does not tie
-- to the columns; left behind they would fail when called.
DROP VIEW files_with_text_metadata;
DROP FUNCTION get_text_metadata_stats();
DROP FUNCTION search_files_by_text_metadata(text, text, text, text, boolean, integer, integer);

-- Indexes and comments go with the columns. Without CASCADE it refuses while a view
-- of others reads one of them.
ALTER TABLE files
    DROP COLUMN lyrics,
    DROP COLUMN markers,
    DROP COLUMN instrument_names_text,
    DROP COLUMN copyright,
    DROP COLUMN track_names;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '009' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
