-- ============================================================================
-- Migration: update_normalized_filenames.sql
-- Rollback: rollback/update_normalized_filenames_rollback.sql
-- Description: Gives files their old names back where they still carry the new
--              ones, and removes schema normalized_filenames.
-- Risk Level: MEDIUM
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Given back: files whose name and path are still exactly those the migration gave.
-- Left as they are, and counted in a notice:
--   * files renamed or moved since: that name is somebody's work;
--   * files whose old path another file has taken since: they keep the new name,
--     so that neither of the two is lost.
-- updated_at stays what it is. Names on disk follow in step files_rename, for the rows that this script changes.

BEGIN;

DO $$
BEGIN
    IF to_regclass('normalized_filenames.renamed_file') IS NULL THEN
        RAISE EXCEPTION 'Migration update_normalized_filenames is not in place, or its record of old names is gone'
            USING HINT = 'Old names cannot be computed from new ones: restore the backup if they are needed.';
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = to_regclass('files') AND tgname = 'files_updated_at_trigger' AND tgenabled = 'O'
    ) THEN
        RAISE EXCEPTION 'Trigger files_updated_at_trigger is missing or not enabled as migration 001 left it';
    END IF;
END;
$$;

-- Readers go on; writers wait, so that no row changes between comparing and renaming.
LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE;

-- Its trigger would set updated_at of each renamed row to now, whatever the statement says.
ALTER TABLE files DISABLE TRIGGER files_updated_at_trigger;

DO $$
DECLARE
    recorded bigint;
    restored bigint;
    gone     bigint;
    taken    bigint;
BEGIN
    SELECT count(*), count(*) FILTER (WHERE f.id IS NULL)
    INTO recorded, gone
    FROM normalized_filenames.renamed_file r
    LEFT JOIN files f ON f.id = r.file_id;

    SELECT count(*) INTO taken
    FROM normalized_filenames.renamed_file r
    JOIN files f ON f.id = r.file_id AND f.filename = r.new_filename AND f.filepath = r.new_filepath
    WHERE EXISTS (SELECT FROM files other WHERE other.filepath = r.old_filepath);

    -- A path that is free before the statement stays free in it, in any order of the rows: the
    -- paths being left are normal ones, the old paths are not, so no row waits for another's.
    UPDATE files f
    SET filename = r.old_filename, filepath = r.old_filepath
    FROM normalized_filenames.renamed_file r
    WHERE f.id = r.file_id AND f.filename = r.new_filename AND f.filepath = r.new_filepath
      AND NOT EXISTS (SELECT FROM files other WHERE other.filepath = r.old_filepath);
    -- In the same block as the UPDATE: the count is gone with the block.
    GET DIAGNOSTICS restored = ROW_COUNT;

    RAISE NOTICE 'Restored % of % name(s); % renamed since, % with the old path taken, % deleted',
        restored, recorded, recorded - restored - taken - gone, taken, gone;
END;
$$;

ALTER TABLE files ENABLE TRIGGER files_updated_at_trigger;

-- Without CASCADE: what others put into the schema makes this stop.
DROP TABLE normalized_filenames.renamed_file;
DROP FUNCTION normalized_filenames.normalized(text);
DROP SCHEMA normalized_filenames;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = 'update_normalized_filenames' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
