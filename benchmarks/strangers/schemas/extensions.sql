-- Extensions: trusted ones, in a schema of their own, configuration, and objects that depend on them.
-- Needs: extension hstore
CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION pg_trgm;
CREATE TABLE uses (id int, h ext.hstore DEFAULT 'a=>1'::ext.hstore, c ext.citext CHECK (c::ext.citext OPERATOR(ext.=) ANY (ARRAY['x', 'Y']::ext.citext[])), t varchar(20));
CREATE INDEX uses_h ON uses USING gin (h); CREATE INDEX uses_t ON uses USING gin (t gin_trgm_ops) WHERE t IN ('a', 'b');
CREATE VIEW keys AS SELECT ext.akeys(h) AS k, c FROM uses WHERE c OPERATOR(ext.=) 'x';
CREATE FUNCTION dependent() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION dependent() DEPENDS ON EXTENSION hstore;
GRANT EXECUTE ON FUNCTION ext.akeys(ext.hstore) TO strangers_reader; REVOKE EXECUTE ON FUNCTION ext.avals(ext.hstore) FROM PUBLIC;
COMMENT ON EXTENSION hstore IS 'pairs';
INSERT INTO uses VALUES (1, 'b=>2', 'X', 'a');
-- Fault: GRANT EXECUTE ON FUNCTION ext.avals(ext.hstore) TO PUBLIC
-- Fault: REVOKE EXECUTE ON FUNCTION ext.akeys(ext.hstore) FROM strangers_reader
-- Fault: ALTER FUNCTION dependent() NO DEPENDS ON EXTENSION hstore
-- Fault: ALTER TABLE uses DROP CONSTRAINT uses_c_check, ADD CONSTRAINT uses_c_check CHECK (c::ext.citext OPERATOR(ext.=) ANY (ARRAY['x', 'Z']::ext.citext[])) NOT VALID
-- Fault: DROP EXTENSION pg_trgm CASCADE
