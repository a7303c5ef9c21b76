-- ============================================================================
-- Migration: 006_track_splits.sql
-- Rollback: rollback/006_track_splits_rollback.sql
-- Description: Adds the table track_splits, which ties a file of several tracks
--              to the files cut out of it.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

CREATE TABLE track_splits (
    id             bigserial PRIMARY KEY,
    parent_file_id bigint    NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    split_file_id  bigint    NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    track_number   integer   NOT NULL,
    track_name     text,
    instrument     text,
    note_count     integer,
    created_at     timestamp DEFAULT now(),
    CONSTRAINT uq_parent_split_pair UNIQUE (parent_file_id, split_file_id),
    CONSTRAINT chk_track_number_positive CHECK (track_number >= 0),
    CONSTRAINT chk_note_count_positive CHECK (note_count IS NULL OR note_count >= 0)
);

CREATE INDEX idx_track_splits_parent_file_id ON track_splits (parent_file_id);
CREATE INDEX idx_track_splits_split_file_id ON track_splits (split_file_id);
CREATE INDEX idx_track_splits_parent_track_number ON track_splits (parent_file_id, track_number);
CREATE INDEX idx_track_splits_instrument ON track_splits (instrument) WHERE instrument IS NOT NULL;

COMMENT ON TABLE track_splits IS 'Which single-track file was cut out of which track of which file';
COMMENT ON COLUMN track_splits.id IS 'Number of the split, without further meaning';
COMMENT ON COLUMN track_splits.parent_file_id IS 'The file with several tracks; the split goes when it goes';
COMMENT ON COLUMN track_splits.split_file_id IS 'The file with the one track; the split goes when it goes';
COMMENT ON COLUMN track_splits.track_number IS 'Position of the track in the parent, counted from 0';
COMMENT ON COLUMN track_splits.track_name IS 'Text of the track name event, NULL without one';
COMMENT ON COLUMN track_splits.instrument IS 'Name of the instrument, NULL when unknown';
COMMENT ON COLUMN track_splits.note_count IS 'How many note-on events the track has';
COMMENT ON COLUMN track_splits.created_at IS 'When the split was recorded';

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '006', 'Tracks split out of files with several tracks'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '006')
ON CONFLICT (version) DO NOTHING;

COMMIT;
