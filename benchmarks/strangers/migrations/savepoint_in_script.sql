-- A script that tries something and goes back to a savepoint.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x');
--- apply
BEGIN;
SAVEPOINT first;
ALTER TABLE note ADD COLUMN wrong text;
ROLLBACK TO SAVEPOINT first;
ALTER TABLE note ADD COLUMN "right" text;
RELEASE first;
COMMIT;
--- rollback
ALTER TABLE note DROP COLUMN "right";
--- users
UPDATE note SET "right" = 'y';
