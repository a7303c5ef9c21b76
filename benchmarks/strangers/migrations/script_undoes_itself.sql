-- A script that was tried by hand and ends with ROLLBACK.
-- Verdict: refused statement_forbidden
-- Names: ROLLBACK
-- Names: 002_script_undoes_itself.sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
BEGIN;
ALTER TABLE note ADD COLUMN body text;
ROLLBACK;
--- rollback
ALTER TABLE note DROP COLUMN body;
