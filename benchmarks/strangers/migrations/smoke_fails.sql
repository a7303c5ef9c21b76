-- The application still asks for a column that the migration renames.
-- Verdict: refused statement_failed
-- Names: smoke/smoke_fails.sql
-- Names: column "name" does not exist
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Ada');
--- apply
ALTER TABLE person RENAME COLUMN name TO full_name;
--- rollback
ALTER TABLE person RENAME COLUMN full_name TO name;
--- smoke
SELECT id, name FROM person;
