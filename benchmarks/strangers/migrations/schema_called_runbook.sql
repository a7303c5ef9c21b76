-- The application has a schema of the name that the runbook keeps its ledger in.
-- Verdict: refused schemas_of_another_maker
-- Names: runbook
--- before
CREATE SCHEMA runbook;
CREATE TABLE runbook.run (id int PRIMARY KEY);
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
