-- The migration is right; what is wrong is its rollback, which nobody has run.
-- Verdict: refused script_syntax_error
-- Names: 002_syntax_error_in_rollback_rollback.sql
-- Names: line 1
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN a int;
--- rollback
ALTER TABLE note REMOVE COLUMN a;
