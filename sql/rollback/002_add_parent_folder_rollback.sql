-- ============================================================================
-- Migration: 002_add_parent_folder.sql
-- Rollback: rollback/002_add_parent_folder_rollback.sql
-- Description: Drops files.parent_folder with its index and comment.
-- Risk Level: LOW
-- Data Loss: PARTIAL
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: the values of files.parent_folder.

BEGIN;

-- Only columns of the types that 002 gave them are its own.
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
        ('parent_folder', 'text')
    ) AS expected (name, type)
    LEFT JOIN pg_attribute a
        ON a.attrelid = to_regclass('files') AND a.attname = expected.name AND NOT a.attisdropped;

    IF present = 0 THEN
        RAISE EXCEPTION 'Migration 002 is not in place: files has none of its columns';
    END IF;
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'Not the columns of migration 002, in table files: %', strange;
    END IF;
END;
$$;

-- Index and comment go with the column. DROP INDEX by name could hit an index of
-- the same name on another table.
ALTER TABLE files DROP COLUMN parent_folder;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '002' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
