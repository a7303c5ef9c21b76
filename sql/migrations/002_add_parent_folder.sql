-- ============================================================================
-- Migration: 002_add_parent_folder.sql
-- Rollback: rollback/002_add_parent_folder_rollback.sql
-- Description: Adds files.parent_folder with a partial index.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

-- Without a default no row is rewritten. Without IF NOT EXISTS a column of
-- this name that somebody else added stops the script instead of passing for it.
ALTER TABLE files ADD COLUMN parent_folder text;

CREATE INDEX idx_files_parent_folder ON files (parent_folder) WHERE parent_folder IS NOT NULL;

COMMENT ON COLUMN files.parent_folder IS 'Name, without its path, of the folder that holds the file';

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '002', 'Parent folder of each file'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '002')
ON CONFLICT (version) DO NOTHING;

COMMIT;
