-- The same, with the trigger left on: the backfill changes the time of each row, and no rollback gives it back.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.note
--- before
CREATE TABLE note (id int PRIMARY KEY, body text, updated_at timestamptz NOT NULL DEFAULT '2026-01-01');
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END';
CREATE TRIGGER note_updated BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION set_updated_at();
INSERT INTO note (id, body) VALUES (1, 'x'), (2, 'y');
--- apply
ALTER TABLE note ADD COLUMN length int;
UPDATE note SET length = length(body);
--- rollback
ALTER TABLE note DROP COLUMN length;
