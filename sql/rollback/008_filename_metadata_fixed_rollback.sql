-- ============================================================================
-- Migration: 008_filename_metadata_fixed.sql
-- Rollback: rollback/008_filename_metadata_fixed_rollback.sql
-- Description: Drops the five columns of files that hold what was read off the name.
-- Risk Level: LOW
-- Data Loss: PARTIAL
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: the values of the five columns. All but metadata_source can be read off
-- the names again.

BEGIN;

-- Only columns of the types that 008 gave them are its own.
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
        ('filename_bpm',    'real'),
        ('filename_key',    'text'),
        ('filename_genres', 'text[]'),
        ('structure_tags',  'text[]'),
        ('metadata_source', 'text')
    ) AS expected (name, type)
    LEFT JOIN pg_attribute a
        ON a.attrelid = to_regclass('files') AND a.attname = expected.name AND NOT a.attisdropped;

    IF present < 5 THEN
        RAISE EXCEPTION 'Migration 008 is not in place as a whole: files has % of its 5 columns', present;
    END IF;
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'Not the columns of migration 008, in table files: %', strange;
    END IF;
END;
$$;

-- Checks and indexes go with the columns. DROP INDEX by name could hit an index of
-- the same name on another table.
ALTER TABLE files
    DROP COLUMN metadata_source,
    DROP COLUMN structure_tags,
    DROP COLUMN filename_genres,
    DROP COLUMN filename_key,
    DROP COLUMN filename_bpm;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '008' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
