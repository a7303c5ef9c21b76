-- LOCK TABLE before anything else, as many advise.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x');
--- apply
SET LOCAL lock_timeout = '2s';
LOCK TABLE note IN ACCESS EXCLUSIVE MODE;
ALTER TABLE note ADD COLUMN title text;
--- rollback
LOCK TABLE note IN ACCESS EXCLUSIVE MODE;
ALTER TABLE note DROP COLUMN title;
--- users
UPDATE note SET title = 'y';
