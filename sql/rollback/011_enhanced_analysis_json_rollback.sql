-- ============================================================================
-- Migration: 011_enhanced_analysis_json.sql
-- Rollback: rollback/011_enhanced_analysis_json_rollback.sql
-- Description: Drops the three JSON columns of musical_metadata.
-- Risk Level: LOW
-- Data Loss: PARTIAL
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: the values of the three columns, until the files are analysed again.

BEGIN;

-- Only columns of the types that 011 gave them are its own.
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
        ('controller_data',   'jsonb'),
        ('articulation_data', 'jsonb'),
        ('structure_data',    'jsonb')
    ) AS expected (name, type)
    LEFT JOIN pg_attribute a
        ON a.attrelid = to_regclass('musical_metadata') AND a.attname = expected.name AND NOT a.attisdropped;

    IF present = 0 THEN
        RAISE EXCEPTION 'Migration 011 is not in place: musical_metadata has none of its columns';
    END IF;
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'Not the columns of migration 011, in table musical_metadata: %', strange;
    END IF;
END;
$$;

-- Indexes and comments go with the columns. IF EXISTS, after the check above,
-- because an older 011 ran without a transaction and may have stopped between two
-- columns.
ALTER TABLE musical_metadata
    DROP COLUMN IF EXISTS structure_data,
    DROP COLUMN IF EXISTS articulation_data,
    DROP COLUMN IF EXISTS controller_data;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '011' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
