-- Sample text events. A quarter of the files keeps the defaults, a few have NULL instead of an array.
UPDATE files f
SET track_names = CASE place WHEN 1 THEN NULL ELSE ARRAY['Track ' || place % 9, 'Бас', 'O''Brien "lead" \ {x}', '', NULL] END,
    copyright = CASE place % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '© 1987 100% Music_Corp, All Rights Reserved'
                               ELSE format('(c) %s Müller & Søn', 1970 + place % 50) END,
    instrument_names_text = CASE place % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['Strings', '弦'] END,
    markers = CASE WHEN place % 4 = 1 THEN ARRAY['Verse 1', 'Chorus', 'Verse 1'] ELSE '{}' END,
    lyrics = CASE place % 6 WHEN 1 THEN ARRAY['la', 'la', E'two\nlines', ''] WHEN 2 THEN NULL ELSE '{}' END
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) numbered
WHERE numbered.id = f.id AND place % 4 > 0;

UPDATE files SET lyrics = ARRAY[repeat('la ', 5000)] WHERE id = (SELECT max(id) FROM files);
