-- A constraint trigger that looks at COMMIT whether debit and credit agree.
-- Verdict: deployed
--- before
CREATE TABLE entry (id int PRIMARY KEY, booking int NOT NULL, amount int NOT NULL);
INSERT INTO entry VALUES (1, 1, 5), (2, 1, -5);
--- apply
CREATE FUNCTION balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM entry WHERE booking = NEW.booking) <> 0 THEN
        RAISE EXCEPTION 'booking % is not balanced', NEW.booking;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_balanced AFTER INSERT OR UPDATE ON entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION balanced();
INSERT INTO entry VALUES (3, 2, 7);
INSERT INTO entry VALUES (4, 2, -7);
--- rollback
DROP TRIGGER entry_balanced ON entry;
DROP FUNCTION balanced();
DELETE FROM entry WHERE booking = 2;
--- users
INSERT INTO entry VALUES (5, 3, 9), (6, 3, -9);
UPDATE entry SET amount = -amount WHERE booking = 2;
