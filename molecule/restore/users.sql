-- What users do with the library between the deploy of 009 and the restore of the backup from before it.
INSERT INTO files (filename, filepath, original_filename, content_hash, file_size_bytes, copyright)
VALUES ('Größe „5“.mid', '/users/1.mid', 'x.mid', sha256('1'), 4711, '© users');
INSERT INTO favorites (file_id) SELECT id FROM files WHERE filepath LIKE '/users/%';
UPDATE files SET manufacturer = 'changed by a user', lyrics = '{la la}' WHERE id = 1;
DELETE FROM files WHERE id = 2;
