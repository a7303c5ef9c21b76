-- A function comes back without SECURITY DEFINER and the path that kept it safe.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.secret()
--- before
CREATE FUNCTION secret() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
--- apply
DROP FUNCTION secret();
--- rollback
CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1';
