-- A file's name as other tools give it, and a migration that is asked for by its number.
-- Verdict: deployed
-- Migration: 2
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- migrations/2-Add-Body.v2.sql
ALTER TABLE note ADD COLUMN body text;
--- rollback/2-Add-Body.v2_rollback.sql
ALTER TABLE note DROP COLUMN body;
--- users
UPDATE note SET body = 'x';
