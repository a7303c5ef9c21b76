-- DROP COLUMN ... CASCADE takes a view along that nobody thought of.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note_titles
--- before
CREATE TABLE note (id int PRIMARY KEY, title text);
CREATE VIEW note_titles AS SELECT title FROM note;
--- apply
ALTER TABLE note DROP COLUMN title CASCADE;
--- rollback
ALTER TABLE note ADD COLUMN title text;
