-- Sample values for files.parent_folder: the last folder of the path, NULL where the path has none.
-- Every ninth file is not filled in yet. updated_at is what the trigger makes of it, should it be disabled for a load.
UPDATE files
SET parent_folder = substring(filepath FROM '([^/\\]+)[/\\][^/\\]*$'), updated_at = now()
WHERE id % 9 > 0;

UPDATE files SET parent_folder = '', updated_at = now() WHERE id = (SELECT min(id) FROM files);
