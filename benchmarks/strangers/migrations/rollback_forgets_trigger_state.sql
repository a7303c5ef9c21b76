-- A trigger is disabled for the migration, and nobody enables it again.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: note_touch
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note_touch BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO note VALUES (1, 'x');
--- apply
ALTER TABLE note DISABLE TRIGGER note_touch;
ALTER TABLE note ADD COLUMN n int;
--- rollback
ALTER TABLE note DROP COLUMN n;
