-- A rollback that does nothing, so that the check for empty files lets it pass.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note.body
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
SELECT 1;
