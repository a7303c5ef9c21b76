-- Sample splits: the files that 001's sample cut out of others, and two at the limits of the checks.
INSERT INTO track_splits (parent_file_id, split_file_id, track_number, track_name, instrument, note_count, created_at)
SELECT parent_file_id, id, place % 16, (ARRAY['Lead', 'Бас', '', NULL])[1 + place % 4], (ARRAY['Synth "1"', NULL])[1 + place % 2],
       CASE place % 3 WHEN 0 THEN NULL ELSE place * 10 END, timestamp '2024-11-02 00:00:00' + place * interval '1 minute'
FROM (SELECT id, parent_file_id, row_number() OVER (ORDER BY id) AS place FROM files WHERE parent_file_id IS NOT NULL) f
ORDER BY id;

INSERT INTO track_splits (parent_file_id, split_file_id, track_number, track_name, instrument, note_count, created_at)
SELECT min(id), min(id), 0, NULL, NULL, 0, NULL FROM files HAVING count(*) > 0
UNION ALL
SELECT min(id), max(id), 2147483647, repeat('long name ', 50), 'O''Brien''s \ horn', 2147483647, timestamp '2024-11-03 00:00:00'
FROM files HAVING count(*) > 1;
