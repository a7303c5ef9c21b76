-- A verify script that asks for what the migration has dropped.
-- Verdict: refused statement_failed
-- Names: verify/002_verify_is_wrong.sql
-- Names: column "fax" does not exist
--- before
CREATE TABLE person (id int PRIMARY KEY, fax text);
--- apply
ALTER TABLE person DROP COLUMN fax;
--- rollback
ALTER TABLE person ADD COLUMN fax text;
--- verify
SELECT count(fax) = 0 FROM person;
