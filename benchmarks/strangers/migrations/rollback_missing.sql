-- Nobody wrote a rollback.
-- Verdict: refused rollback_script_missing
-- Names: rollback/002_rollback_missing_rollback.sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
