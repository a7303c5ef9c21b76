-- A file's name with blanks and a bracket.
-- Verdict: refused script_name_unusable
-- Names: 003 copy of (2).sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
--- migrations/003 copy of (2).sql
ALTER TABLE note ADD COLUMN body text;
