-- A function of a superuser gets a path that nobody can change.
-- Verdict: deployed
--- before
CREATE FUNCTION secret(a int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN a; END';
GRANT EXECUTE ON FUNCTION secret(int) TO strangers_reader;
--- apply
ALTER FUNCTION secret(int) SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION secret(int) FROM PUBLIC;
--- rollback
GRANT EXECUTE ON FUNCTION secret(int) TO PUBLIC;
ALTER FUNCTION secret(int) RESET search_path;
