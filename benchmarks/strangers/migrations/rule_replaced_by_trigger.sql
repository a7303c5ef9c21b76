-- A rule that nobody understands goes, and a trigger does its work.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
CREATE TABLE renamed (id int, name text);
CREATE RULE log_name AS ON UPDATE TO person WHERE OLD.name <> NEW.name DO ALSO INSERT INTO renamed VALUES (OLD.id, OLD.name);
INSERT INTO person VALUES (1, 'Ada');
--- apply
DROP RULE log_name ON person;
CREATE FUNCTION log_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO renamed VALUES (OLD.id, OLD.name);
    RETURN NULL;
END $$;
CREATE TRIGGER log_name AFTER UPDATE OF name ON person FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION log_name();
--- rollback
DROP TRIGGER log_name ON person;
DROP FUNCTION log_name();
CREATE RULE log_name AS ON UPDATE TO person WHERE OLD.name <> NEW.name DO ALSO INSERT INTO renamed VALUES (OLD.id, OLD.name);
--- users
UPDATE person SET name = 'Augusta Ada' WHERE id = 1;
