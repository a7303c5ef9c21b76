-- Sample JSON analyses; a third of the files has none yet, and some have empty or null documents.
UPDATE musical_metadata m
SET controller_data = CASE place % 5
        WHEN 0 THEN '[]'
        WHEN 1 THEN 'null'
        ELSE jsonb_build_array(
            jsonb_build_object('cc', 1, 'name', 'Modulation', 'count', place, 'min', 0, 'max', 127, 'avg', 63.5),
            jsonb_build_object('cc', 64, 'name', 'Sustain "pedal"', 'count', 0, 'min', NULL, 'max', NULL, 'avg', 0.0))
    END,
    articulation_data = CASE WHEN place % 4 > 0 THEN jsonb_build_object(
        'legato_percentage', (place % 100) / 1.0, 'staccato_percentage', 100 - place % 100, 'avg_note_duration_ms', 250.25,
        'timing_deviation_ms', -1.5, 'velocity_variance', 1e-12, 'dynamic_range', place % 128,
        'is_humanized', place % 2 = 0, 'is_legato', place % 100 > 50, 'is_staccato', place % 100 <= 50) END,
    structure_data = CASE place % 6 WHEN 0 THEN '{}' WHEN 1 THEN NULL ELSE jsonb_build_object(
        'num_segments', place % 12, 'num_unique_patterns', place % 5, 'num_repeated_patterns', place % 7,
        'repetition_percentage', (place % 1000) / 10.0, 'has_repetition', place % 7 > 0,
        'estimated_form', (ARRAY['simple', 'song form', 'complex', 'through-composed'])[1 + place % 4],
        'is_through_composed', place % 4 = 3) END
FROM (SELECT file_id, row_number() OVER (ORDER BY file_id) AS place FROM musical_metadata) numbered
WHERE numbered.file_id = m.file_id AND place % 3 > 0;
