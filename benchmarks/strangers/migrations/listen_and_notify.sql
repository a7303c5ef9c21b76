-- A script that tells those who listen that the schema has changed.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
ALTER TABLE note ADD COLUMN body text;
NOTIFY schema_changed, '002';
--- rollback
ALTER TABLE note DROP COLUMN body;
NOTIFY schema_changed, '001';
--- users
UPDATE note SET body = 'x';
