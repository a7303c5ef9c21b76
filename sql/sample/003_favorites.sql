-- Sample favorites: every 25th file, one of them without a time.
INSERT INTO favorites (file_id, created_at)
SELECT id, CASE WHEN place > 1 THEN timestamptz '2024-11-01 00:00:00+00' + place * interval '1 minute' END
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
WHERE place % 25 = 1
ORDER BY id;
