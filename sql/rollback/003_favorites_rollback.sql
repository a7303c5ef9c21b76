-- ============================================================================
-- Migration: 003_favorites.sql
-- Rollback: rollback/003_favorites_rollback.sql
-- Description: Drops the table favorites.
-- Risk Level: MEDIUM
-- Data Loss: COMPLETE
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: every favorite; nothing else knows them.

BEGIN;

-- A table of this name is this migration's only with exactly its columns, tied to
-- files: what somebody else made or enlarged is not dropped.
DO $$
DECLARE
    expected CONSTANT text := 'id bigint, file_id bigint, created_at timestamp with time zone';
    found    text;
BEGIN
    SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
    INTO found
    FROM pg_attribute a
    WHERE a.attrelid = to_regclass('favorites') AND a.attnum > 0 AND NOT a.attisdropped;

    IF found IS NULL THEN
        RAISE EXCEPTION 'Migration 003 is not in place: there is no table favorites';
    END IF;
    IF found <> expected THEN
        RAISE EXCEPTION 'Table favorites is not the one of migration 003: its columns are %', found;
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE contype = 'f' AND conrelid = to_regclass('favorites') AND confrelid = to_regclass('files')
    ) THEN
        RAISE EXCEPTION 'Table favorites is not the one of migration 003: it has no foreign key to files';
    END IF;
END;
$$;

-- Indexes, constraints and sequence go with the table. Without CASCADE it refuses
-- while anything of others depends on it.
DROP TABLE favorites;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '003' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
