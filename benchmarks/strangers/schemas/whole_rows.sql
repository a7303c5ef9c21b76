-- Functions of a whole row, in checks, indexes, views, generated columns and policies.
CREATE TABLE r (id int, s varchar(5));
CREATE FUNCTION ok(r) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1.id > 0';
ALTER TABLE r ADD CHECK (ok(r.*) AND s IN ('a', 'b')); CREATE INDEX r_ok ON r (ok(r.*)) WHERE s IN ('a', 'b');
CREATE VIEW rows_of AS SELECT r, r.* FROM r WHERE ok(r) AND r.s IN ('a', 'b'); CREATE POLICY whole ON r USING (ok(r.*) AND s IN ('a', 'b'));
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER w BEFORE UPDATE ON r FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* AND ok(NEW) AND NEW.s IN ('a', 'b')) EXECUTE FUNCTION act();
INSERT INTO r VALUES (1, 'a');
-- Fault: ALTER TABLE r DROP CONSTRAINT r_check, ADD CONSTRAINT r_check CHECK (ok(r.*) AND s IN ('a', 'c'))
-- Fault: DROP INDEX r_ok; CREATE INDEX r_ok ON r (ok(r.*)) WHERE s IN ('a', 'c')
-- Fault: ALTER POLICY whole ON r USING (s IN ('a', 'b'))
