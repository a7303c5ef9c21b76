-- A column that may not be NULL, without a default, in a table with rows.
-- Verdict: refused statement_failed
-- Names: column "kind" of relation "note" contains null values
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
ALTER TABLE note ADD COLUMN kind text NOT NULL;
--- rollback
ALTER TABLE note DROP COLUMN kind;
