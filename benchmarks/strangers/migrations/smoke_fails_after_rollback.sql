-- The application's own query fails once the rollback has been: it gave the column another name.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.person
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Ada');
--- apply
ALTER TABLE person RENAME COLUMN name TO full_name;
--- rollback
ALTER TABLE person RENAME COLUMN full_name TO nom;
