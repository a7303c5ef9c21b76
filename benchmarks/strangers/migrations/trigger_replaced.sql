-- CREATE OR REPLACE TRIGGER with another condition.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text, changes int NOT NULL DEFAULT 0);
CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changes = OLD.changes + 1; RETURN NEW; END';
CREATE TRIGGER note_changed BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION count_change();
INSERT INTO note VALUES (1, 'x');
--- apply
CREATE OR REPLACE TRIGGER note_changed BEFORE UPDATE OF body ON note FOR EACH ROW WHEN (OLD.body <> NEW.body) EXECUTE FUNCTION count_change();
--- rollback
CREATE OR REPLACE TRIGGER note_changed BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION count_change();
--- users
UPDATE note SET body = 'y';
