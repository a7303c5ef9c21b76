-- A rollback that says why there is none.
-- Verdict: refused rollback_script_empty
-- Names: rollback/002_rollback_of_comments_only_rollback.sql has no statement
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
-- Not needed: the column does not hurt.
