-- Sample values for what is read off file names, at the limits of the checks for the first files.
UPDATE files f
SET filename_bpm = CASE place WHEN 1 THEN 30 WHEN 2 THEN 300 WHEN 3 THEN NULL ELSE 80 + place % 100 END,
    filename_key = CASE place WHEN 1 THEN 'C' WHEN 2 THEN 'F#m' WHEN 3 THEN NULL ELSE (ARRAY['Am', 'Eb', '嬰ハ', NULL])[1 + place % 4] END,
    filename_genres = CASE place % 5 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY['r''n''b', NULL, 'a "b" \ {c}']
                                     ELSE ARRAY['house', 'techno'] END,
    structure_tags = CASE place % 3 WHEN 0 THEN ARRAY['intro'] WHEN 1 THEN ARRAY['intro', 'verse', 'chorus'] ELSE '{}' END,
    metadata_source = (ARRAY['analyzed', 'filename', 'both', 'none', 'validated', NULL])[1 + place % 6],
    updated_at = now()                                              -- as the trigger makes it, when it is enabled
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) numbered
WHERE numbered.id = f.id AND place % 4 > 0;
