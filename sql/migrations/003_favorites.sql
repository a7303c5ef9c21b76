-- ============================================================================
-- Migration: 003_favorites.sql
-- Rollback: rollback/003_favorites_rollback.sql
-- Description: Adds the table favorites, at most one row for each file.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

CREATE TABLE favorites (
    id         bigserial   PRIMARY KEY,
    file_id    bigint      NOT NULL UNIQUE REFERENCES files (id) ON DELETE CASCADE,
    created_at timestamptz DEFAULT now()
);

CREATE INDEX idx_favorites_file_id ON favorites (file_id);
CREATE INDEX idx_favorites_created_at ON favorites (created_at DESC);

COMMENT ON TABLE favorites IS 'Files that the user marked with a star';
COMMENT ON COLUMN favorites.file_id IS 'The file with the star';

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '003', 'Favorite files'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '003')
ON CONFLICT (version) DO NOTHING;

COMMIT;
