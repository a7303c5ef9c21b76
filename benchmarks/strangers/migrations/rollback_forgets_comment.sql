-- A comment is not what it was.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note
--- before
CREATE TABLE note (id int PRIMARY KEY);
COMMENT ON TABLE note IS 'what people write';
--- apply
ALTER TABLE note ADD COLUMN body text;
COMMENT ON TABLE note IS 'what people write, with a body';
--- rollback
ALTER TABLE note DROP COLUMN body;
COMMENT ON TABLE note IS NULL;
