-- A comma too many.
-- Verdict: refused script_syntax_error
-- Names: 002_syntax_error_comma.sql
-- Names: line 4
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE TABLE label (
    id int PRIMARY KEY,
    name text,
);
--- rollback
DROP TABLE label;
