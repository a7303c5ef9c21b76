-- A privilege stays.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: strangers_reader
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
GRANT SELECT ON note TO strangers_reader;
--- rollback
ALTER TABLE note DROP COLUMN body;
