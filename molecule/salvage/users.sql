-- What people do with favorites and tags.
INSERT INTO files (filename, original_filename, filepath, content_hash, file_size_bytes)
VALUES ('gone.mid', 'gone.mid', '/users/gone.mid', decode(repeat('ab', 32), 'hex'), 1);
INSERT INTO favorites (file_id, created_at)
SELECT id, timestamptz '2020-02-29 12:00:00.000001+02' FROM files WHERE filepath = '/users/gone.mid'
UNION ALL
SELECT min(id), NULL FROM files WHERE id NOT IN (SELECT file_id FROM favorites);
UPDATE tags SET priority = 1, detection_method = 'my own "way"' WHERE name = 'house';
UPDATE tag_categories SET description = NULL WHERE name = 'mood';
