-- ============================================================================
-- Migration: 010_harmonic_analysis.sql
-- Rollback: rollback/010_harmonic_analysis_rollback.sql
-- Description: Drops the six columns of musical_metadata for chords.
-- Risk Level: LOW
-- Data Loss: PARTIAL
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: the values of the six columns, until the files are analysed again.

BEGIN;

-- Only columns of the types that 010 gave them are its own.
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
        ('chord_progression',      'jsonb'),
        ('chord_types',            'text[]'),
        ('has_seventh_chords',     'boolean'),
        ('has_extended_chords',    'boolean'),
        ('chord_change_rate',      'numeric(5,2)'),
        ('chord_complexity_score', 'numeric(4,3)')
    ) AS expected (name, type)
    LEFT JOIN pg_attribute a
        ON a.attrelid = to_regclass('musical_metadata') AND a.attname = expected.name AND NOT a.attisdropped;

    IF present = 0 THEN
        RAISE EXCEPTION 'Migration 010 is not in place: musical_metadata has none of its columns';
    END IF;
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'Not the columns of migration 010, in table musical_metadata: %', strange;
    END IF;
END;
$$;

-- Check, indexes and comments go with the columns. The indexes are not named here:
-- idx_chord_types and its like do not say their table, so DROP INDEX could hit one
-- on harmonic_patterns, which has a column chord_types too. IF EXISTS, after the
-- check above, because an older 010 ran without a transaction and may have stopped
-- between two columns.
ALTER TABLE musical_metadata
    DROP COLUMN IF EXISTS chord_complexity_score,
    DROP COLUMN IF EXISTS chord_change_rate,
    DROP COLUMN IF EXISTS has_extended_chords,
    DROP COLUMN IF EXISTS has_seventh_chords,
    DROP COLUMN IF EXISTS chord_types,
    DROP COLUMN IF EXISTS chord_progression;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '010' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
