-- A trigger that keeps the time of the last change.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x'), (2, 'y');
--- apply
ALTER TABLE note ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER note_updated BEFORE UPDATE ON note FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION set_updated_at();
--- rollback
DROP TRIGGER note_updated ON note;
DROP FUNCTION set_updated_at();
ALTER TABLE note DROP COLUMN updated_at;
--- users
UPDATE note SET body = 'z' WHERE id = 2;
INSERT INTO note (id, body) VALUES (3, 'w');
