-- ============================================================================
-- Migration: 010_harmonic_analysis.sql
-- Rollback: rollback/010_harmonic_analysis_rollback.sql
-- Description: Adds six columns to musical_metadata for the analysis of chords.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

-- Constant defaults: existing rows read false without being rewritten.
ALTER TABLE musical_metadata
    ADD COLUMN chord_progression      jsonb,
    ADD COLUMN chord_types            text[],
    ADD COLUMN has_seventh_chords     boolean DEFAULT false,
    ADD COLUMN has_extended_chords    boolean DEFAULT false,
    ADD COLUMN chord_change_rate      numeric(5, 2),
    ADD COLUMN chord_complexity_score numeric(4, 3)
        CHECK (chord_complexity_score IS NULL OR (chord_complexity_score >= 0 AND chord_complexity_score <= 1));

CREATE INDEX idx_has_seventh_chords ON musical_metadata (has_seventh_chords) WHERE has_seventh_chords = true;
CREATE INDEX idx_has_extended_chords ON musical_metadata (has_extended_chords) WHERE has_extended_chords = true;
CREATE INDEX idx_chord_progression ON musical_metadata USING gin (chord_progression);
CREATE INDEX idx_chord_types ON musical_metadata USING gin (chord_types);
CREATE INDEX idx_chord_complexity ON musical_metadata (chord_complexity_score) WHERE chord_complexity_score IS NOT NULL;

COMMENT ON COLUMN musical_metadata.chord_progression IS 'JSON array of chord names in the order they sound';
COMMENT ON COLUMN musical_metadata.chord_types IS 'The qualities of chord that occur, each once';
COMMENT ON COLUMN musical_metadata.has_seventh_chords IS 'Whether a seventh chord occurs';
COMMENT ON COLUMN musical_metadata.has_extended_chords IS 'Whether a ninth, eleventh or thirteenth chord occurs';
COMMENT ON COLUMN musical_metadata.chord_change_rate IS 'Mean number of chord changes in a measure, NULL without a meter';
COMMENT ON COLUMN musical_metadata.chord_complexity_score IS
    'From 0 to 1: triads lie about 0.3, sevenths about 0.6, extended chords at 1';

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '010', 'Analysis of chords'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '010')
ON CONFLICT (version) DO NOTHING;

COMMIT;
