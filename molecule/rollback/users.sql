-- What users do between the deployment of 009 and its rollback.
INSERT INTO files (filename, filepath, original_filename, content_hash, file_size_bytes, track_names, copyright)
VALUES ('Größe „5“.mid', '/users/Größe „5“.mid', 'Größe „5“.mid', sha256('user'), 4711, ARRAY['Piano', NULL], '© users');

UPDATE files SET manufacturer = 'changed by a user', lyrics = ARRAY['la la']
WHERE id = (SELECT min(id) FROM files);

DELETE FROM files WHERE id = (SELECT max(id) FROM files WHERE filepath NOT LIKE '/users/%');

INSERT INTO favorites (file_id)
SELECT id FROM files WHERE filepath LIKE '/users/%';
