-- A view that can be written: by an INSTEAD OF trigger for inserts, by a rule for deletes.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, name text, gone boolean NOT NULL DEFAULT false);
INSERT INTO person VALUES (1, 'Ada'), (2, 'Grace');
--- apply
CREATE VIEW current_person AS SELECT id, name FROM person WHERE NOT gone;
CREATE FUNCTION add_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO person (id, name) VALUES (NEW.id, trim(NEW.name));
    RETURN NEW;
END $$;
CREATE TRIGGER current_person_insert INSTEAD OF INSERT ON current_person FOR EACH ROW EXECUTE FUNCTION add_person();
CREATE RULE current_person_delete AS ON DELETE TO current_person DO INSTEAD UPDATE person SET gone = true WHERE id = OLD.id;
--- rollback
DROP VIEW current_person;
DROP FUNCTION add_person();
--- users
INSERT INTO current_person VALUES (3, ' Barbara ');
DELETE FROM current_person WHERE id = 1;
