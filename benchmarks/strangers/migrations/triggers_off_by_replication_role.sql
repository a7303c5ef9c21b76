-- session_replication_role keeps triggers quiet for a backfill; it must not stay so.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text, changed int NOT NULL DEFAULT 0);
CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed = OLD.changed + 1; RETURN NEW; END';
CREATE TRIGGER note_changes BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION count_changes();
INSERT INTO note VALUES (1, 'x'), (2, 'y');
--- apply
SET session_replication_role = replica;
ALTER TABLE note ADD COLUMN upper text;
UPDATE note SET upper = upper(body);
--- rollback
ALTER TABLE note DROP COLUMN upper;
--- users
UPDATE note SET body = 'z' WHERE id = 2;
