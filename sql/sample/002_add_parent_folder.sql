-- Sample values for files.parent_folder: the last folder of the path, NULL where the path has none.
-- Every ninth file is not filled in yet.
UPDATE files
SET parent_folder = substring(filepath FROM '([^/\\]+)[/\\][^/\\]*$')
WHERE id % 9 > 0;

UPDATE files SET parent_folder = '' WHERE id = (SELECT min(id) FROM files);
