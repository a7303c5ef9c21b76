-- The rollback of an index on a column that stays is forgotten.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note_created
--- before
CREATE TABLE note (id int PRIMARY KEY, created date);
--- apply
ALTER TABLE note ADD COLUMN body text;
CREATE INDEX note_created ON note (created);
--- rollback
ALTER TABLE note DROP COLUMN body;
