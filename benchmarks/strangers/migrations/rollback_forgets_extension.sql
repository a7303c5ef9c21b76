-- An extension stays behind.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: hstore
-- Needs: extension hstore
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE EXTENSION hstore;
ALTER TABLE note ADD COLUMN tags hstore;
--- rollback
ALTER TABLE note DROP COLUMN tags;
