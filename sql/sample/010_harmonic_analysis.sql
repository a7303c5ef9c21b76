-- Sample chord analyses, at the limits of type and check for the first files; a third has none yet.
UPDATE musical_metadata m
SET chord_progression = (ARRAY['["Am7", "F", "C", "G"]', '[]', 'null', '["N.C.", "C\u266f\u00f87"]', NULL])[1 + place % 5]::jsonb,
    chord_types = CASE place % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY['minor', 'major7', NULL] ELSE ARRAY['major'] END,
    has_seventh_chords = (ARRAY[true, false, NULL])[1 + place % 3],
    has_extended_chords = place % 7 = 0,
    chord_change_rate = CASE place WHEN 1 THEN 999.99 WHEN 2 THEN -999.99 ELSE (place % 400) / 100.0 END,
    chord_complexity_score = CASE place WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 4 THEN NULL ELSE (place % 1000) / 1000.0 END
FROM (SELECT file_id, row_number() OVER (ORDER BY file_id) AS place FROM musical_metadata) numbered
WHERE numbered.file_id = m.file_id AND place % 3 > 0;
