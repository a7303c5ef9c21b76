-- Owners, privileges with grant option, of columns, of PUBLIC, taken from the owner, granted on by others.
CREATE SCHEMA shared AUTHORIZATION strangers_owner; CREATE TABLE shared.t (id int PRIMARY KEY, a int, b int); ALTER TABLE shared.t OWNER TO strangers_owner;
GRANT SELECT (id, a), UPDATE (b) ON shared.t TO strangers_reader; GRANT INSERT ON shared.t TO strangers_reader WITH GRANT OPTION;
SET ROLE strangers_reader; RESET ROLE;
REVOKE DELETE ON shared.t FROM strangers_owner; GRANT USAGE ON SCHEMA shared TO PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE FUNCTION shared.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION shared.f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION shared.f() TO strangers_reader;
CREATE TYPE shared.e AS ENUM ('a'); REVOKE USAGE ON TYPE shared.e FROM PUBLIC; CREATE SEQUENCE shared.s; GRANT USAGE ON SEQUENCE shared.s TO strangers_reader;
CREATE VIEW shared.v AS SELECT id FROM shared.t; ALTER VIEW shared.v OWNER TO strangers_reader;
GRANT SELECT ON pg_catalog.pg_authid TO strangers_reader; REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;
-- Fault: REVOKE SELECT (a) ON shared.t FROM strangers_reader
-- Fault: GRANT DELETE ON shared.t TO strangers_owner
-- Fault: REVOKE GRANT OPTION FOR INSERT ON shared.t FROM strangers_reader
-- Fault: ALTER VIEW shared.v OWNER TO strangers_owner
-- Fault: GRANT EXECUTE ON FUNCTION shared.f() TO PUBLIC
-- Fault: REVOKE SELECT ON pg_catalog.pg_authid FROM strangers_reader
-- Fault: GRANT USAGE ON SCHEMA public TO PUBLIC
