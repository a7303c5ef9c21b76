-- A collation that ignores case, and a column that uses it.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Zoë'), (2, 'ada');
--- apply
CREATE COLLATION by_code (provider = builtin, locale = 'C.UTF-8');
ALTER TABLE person ALTER COLUMN name TYPE text COLLATE by_code;
CREATE INDEX person_name ON person (name);
--- rollback
DROP INDEX person_name;
ALTER TABLE person ALTER COLUMN name TYPE text COLLATE "default";
DROP COLLATION by_code;
--- users
INSERT INTO person VALUES (3, 'Émile');
