-- Check options, security barrier and invoker, defaults of columns, INSTEAD OF triggers and rules on views.
CREATE TABLE person (id int PRIMARY KEY, name varchar(30), tenant varchar(5));
CREATE VIEW mine WITH (security_barrier) AS SELECT * FROM person WHERE tenant IN ('a', 'b') WITH CASCADED CHECK OPTION;
CREATE VIEW local_only AS SELECT * FROM mine WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW asking WITH (security_invoker = true) AS SELECT id FROM person;
ALTER VIEW mine ALTER COLUMN tenant SET DEFAULT 'a';
CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER putting INSTEAD OF INSERT ON asking FOR EACH ROW EXECUTE FUNCTION put();
CREATE RULE renaming AS ON UPDATE TO asking WHERE NEW.id IN (1, 2) DO ALSO NOTHING;
INSERT INTO person VALUES (1, 'x', 'a');
-- Fault: ALTER VIEW mine RESET (security_barrier)
-- Fault: ALTER VIEW local_only SET (check_option = cascaded)
-- Fault: ALTER VIEW mine ALTER COLUMN tenant DROP DEFAULT
-- Fault: DROP TRIGGER putting ON asking
-- Fault: ALTER VIEW asking SET (security_invoker = false)
