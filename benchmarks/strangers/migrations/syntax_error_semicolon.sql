-- A semicolon is missing between two statements.
-- Verdict: refused script_syntax_error
-- Names: 002_syntax_error_semicolon.sql
-- Names: line 2
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN a int
ALTER TABLE note ADD COLUMN b int;
--- rollback
ALTER TABLE note DROP COLUMN a, DROP COLUMN b;
