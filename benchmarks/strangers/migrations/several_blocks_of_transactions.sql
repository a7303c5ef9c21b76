-- Two transactions in one script, as somebody wrote it for psql; the runbook makes one of them.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x');
--- apply
BEGIN;
ALTER TABLE note ADD COLUMN title text;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE note SET title = upper(body);
ALTER TABLE note ALTER COLUMN title SET NOT NULL;
COMMIT;
--- rollback
BEGIN;
ALTER TABLE note DROP COLUMN title;
COMMIT;
--- users
INSERT INTO note VALUES (2, 'y', 'Y!');
