-- Somebody thinks that the table of versions is in the way.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: schema_migrations
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
DROP TABLE schema_migrations;
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
