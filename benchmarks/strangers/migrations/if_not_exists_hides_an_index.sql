-- CREATE INDEX IF NOT EXISTS finds another index of the name, and its rollback drops that.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note_body
--- before
CREATE TABLE note (id int PRIMARY KEY, body text, kind text);
CREATE INDEX note_body ON note (kind);
--- apply
CREATE INDEX IF NOT EXISTS note_body ON note (body);
--- rollback
DROP INDEX IF EXISTS note_body;
