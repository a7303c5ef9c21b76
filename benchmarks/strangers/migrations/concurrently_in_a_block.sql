-- CREATE INDEX CONCURRENTLY between BEGIN and COMMIT, where PostgreSQL refuses it.
-- Verdict: refused script_must_be_split
-- Names: 002_concurrently_in_a_block.sql
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
BEGIN;
ALTER TABLE note ADD COLUMN title text;
CREATE INDEX CONCURRENTLY note_title ON note (title);
COMMIT;
--- rollback
DROP INDEX CONCURRENTLY note_title;
ALTER TABLE note DROP COLUMN title;
