-- ============================================================================
-- Migration: 011_enhanced_analysis_json.sql
-- Rollback: rollback/011_enhanced_analysis_json_rollback.sql
-- Description: Adds three JSON columns to musical_metadata for controllers,
--              articulation and structure, each with a GIN index.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

ALTER TABLE musical_metadata
    ADD COLUMN controller_data   jsonb,
    ADD COLUMN articulation_data jsonb,
    ADD COLUMN structure_data    jsonb;

CREATE INDEX idx_musical_metadata_controller_data ON musical_metadata USING gin (controller_data);
CREATE INDEX idx_musical_metadata_articulation_data ON musical_metadata USING gin (articulation_data);
CREATE INDEX idx_musical_metadata_structure_data ON musical_metadata USING gin (structure_data);

COMMENT ON COLUMN musical_metadata.controller_data IS
    'JSON array, one object for each controller: cc, name, count, min, max (integers and text), avg (float)';
COMMENT ON COLUMN musical_metadata.articulation_data IS
    'JSON object: legato_percentage, staccato_percentage, avg_note_duration_ms, timing_deviation_ms, '
    'velocity_variance (floats), dynamic_range (0 to 127), is_legato, is_staccato, is_humanized (booleans)';
COMMENT ON COLUMN musical_metadata.structure_data IS
    'JSON object: num_segments, num_unique_patterns, num_repeated_patterns (integers), repetition_percentage (float), '
    'estimated_form (simple, song form, complex or through-composed), has_repetition, is_through_composed (booleans)';

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '011', 'Controllers, articulation and structure as JSON'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '011')
ON CONFLICT (version) DO NOTHING;

COMMIT;
