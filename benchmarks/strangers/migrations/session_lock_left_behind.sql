-- A lock of a session, which the script forgets to give back.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
SELECT pg_advisory_lock(4712);
ALTER TABLE note ADD COLUMN body text;
--- rollback
SELECT pg_advisory_lock(4712);
ALTER TABLE note DROP COLUMN body;
--- users
UPDATE note SET body = 'x';
