-- ============================================================================
-- Migration: 008_filename_metadata_fixed.sql
-- Rollback: rollback/008_filename_metadata_fixed_rollback.sql
-- Description: Adds five columns to files for what can be read off a file's
--              name: tempo, key, genres, structure, and where the facts came from.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

-- The default of metadata_source is a constant: existing rows read 'none' without being rewritten.
ALTER TABLE files
    ADD COLUMN filename_bpm    real
        CHECK (filename_bpm IS NULL OR (filename_bpm >= 30 AND filename_bpm <= 300)),
    ADD COLUMN filename_key    text
        CHECK (filename_key IS NULL OR (length(filename_key) >= 1 AND length(filename_key) <= 3)),
    ADD COLUMN filename_genres text[],
    ADD COLUMN structure_tags  text[],
    ADD COLUMN metadata_source text DEFAULT 'none'
        CHECK (metadata_source IN ('analyzed', 'filename', 'both', 'none', 'validated'));

CREATE INDEX idx_files_filename_bpm ON files (filename_bpm) WHERE filename_bpm IS NOT NULL;
CREATE INDEX idx_files_filename_key ON files (filename_key) WHERE filename_key IS NOT NULL;
CREATE INDEX idx_files_filename_genres ON files USING gin (filename_genres)
    WHERE filename_genres IS NOT NULL AND array_length(filename_genres, 1) > 0;
CREATE INDEX idx_files_structure_tags ON files USING gin (structure_tags)
    WHERE structure_tags IS NOT NULL AND array_length(structure_tags, 1) > 0;
CREATE INDEX idx_files_metadata_source ON files (metadata_source);

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '008', 'Tempo, key, genres and structure read off the file name'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '008')
ON CONFLICT (version) DO NOTHING;

COMMIT;
