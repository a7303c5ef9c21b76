-- Rows for the later samples to hang on: the sample of 001 cannot be loaded here, some of its tags are those of 007.
INSERT INTO files (filename, filepath, original_filename, content_hash, file_size_bytes)
SELECT 'file ' || n || ' „ü“.MID', '/users/' || n || '/file ' || n || ' „ü“.MID', 'file.mid', sha256(n::text::bytea), n
FROM generate_series(1, 40) n;

INSERT INTO musical_metadata (file_id, bpm)
SELECT id, 60 + id FROM files;

INSERT INTO file_tags (file_id, tag_id)
SELECT f.id, t.id FROM files f JOIN (SELECT id FROM tags ORDER BY id LIMIT 3) t ON f.id % 2 = t.id % 2;
