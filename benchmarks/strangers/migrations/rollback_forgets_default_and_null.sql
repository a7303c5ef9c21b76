-- A column loses its default and may not be NULL; the rollback gives back only one of both.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note.kind
--- before
CREATE TABLE note (id int PRIMARY KEY, kind text DEFAULT 'plain');
INSERT INTO note VALUES (1);
--- apply
ALTER TABLE note ALTER COLUMN kind SET NOT NULL, ALTER COLUMN kind DROP DEFAULT;
--- rollback
ALTER TABLE note ALTER COLUMN kind DROP NOT NULL;
