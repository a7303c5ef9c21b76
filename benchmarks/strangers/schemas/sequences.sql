-- Sequences: of every type and option, owned, unlogged, descending, used by several defaults.
CREATE SEQUENCE up AS smallint START 3 INCREMENT 2 MINVALUE 1 MAXVALUE 99 CACHE 10 CYCLE;
CREATE SEQUENCE down INCREMENT -1 MAXVALUE -1 MINVALUE -50;
CREATE UNLOGGED SEQUENCE fleeting;
CREATE TABLE user_of (id int DEFAULT nextval('up'), second int DEFAULT nextval('up'::regclass), s serial, b bigserial PRIMARY KEY);
ALTER SEQUENCE up OWNED BY user_of.id;
CREATE SEQUENCE "Odd Name"; COMMENT ON SEQUENCE "Odd Name" IS 'odd';
CREATE TABLE odd (id int DEFAULT nextval('"Odd Name"'));
SELECT nextval('up'), nextval('down'), setval('"Odd Name"', 77, false);
INSERT INTO user_of DEFAULT VALUES;
-- Fault: ALTER SEQUENCE up INCREMENT 4
-- Fault: ALTER SEQUENCE up OWNED BY NONE
-- Fault: ALTER SEQUENCE down AS int
-- Fault: ALTER SEQUENCE fleeting SET LOGGED
-- Fault: ALTER TABLE odd ALTER id SET DEFAULT nextval('down')
