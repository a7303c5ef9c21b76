-- A rollback whose name is not that of its migration: there is none, therefore.
-- Verdict: refused rollback_script_missing
-- Names: rollback/002_add_body_rollback.sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- migrations/002_add_body.sql
ALTER TABLE note ADD COLUMN body text;
--- rollback/002_body_rollback.sql
ALTER TABLE note DROP COLUMN body;
