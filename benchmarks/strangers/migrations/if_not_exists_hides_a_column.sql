-- ADD COLUMN IF NOT EXISTS finds what users have filled; the rollback drops it with its values.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note.body
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'written by users');
--- apply
ALTER TABLE note ADD COLUMN IF NOT EXISTS body text;
ALTER TABLE note ADD COLUMN IF NOT EXISTS kind text;
--- rollback
ALTER TABLE note DROP COLUMN IF EXISTS kind;
ALTER TABLE note DROP COLUMN IF EXISTS body;
