-- Privileges on columns, with the right to give them on, and some taken from PUBLIC.
-- Verdict: deployed
--- before
CREATE TABLE salary (id int PRIMARY KEY, person text, amount int);
CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 42';
INSERT INTO salary VALUES (1, 'Ada', 5);
--- apply
GRANT SELECT (id, person), UPDATE (person) ON salary TO strangers_owner WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION secret() FROM PUBLIC;
--- rollback
GRANT EXECUTE ON FUNCTION secret() TO PUBLIC;
REVOKE SELECT (id, person), UPDATE (person) ON salary FROM strangers_owner CASCADE;
--- users
INSERT INTO salary VALUES (2, 'Grace', 6);
