-- A trigger stands in the way of a backfill and is disabled for it.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text, updated_at timestamptz NOT NULL DEFAULT '2026-01-01');
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END';
CREATE TRIGGER note_updated BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION set_updated_at();
INSERT INTO note VALUES (1, 'x'), (2, 'y');
--- apply
ALTER TABLE note ADD COLUMN length int;
ALTER TABLE note DISABLE TRIGGER note_updated;
UPDATE note SET length = length(body);
ALTER TABLE note ENABLE TRIGGER note_updated;
--- rollback
ALTER TABLE note DROP COLUMN length;
--- users
UPDATE note SET body = 'longer', length = 6 WHERE id = 1;
