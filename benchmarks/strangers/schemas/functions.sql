-- Functions with every option, defaults with lists, OUT and VARIADIC arguments, overloads, settings.
CREATE FUNCTION f(a int, b varchar DEFAULT 'x', c text[] DEFAULT ARRAY['p', 'q']::varchar[], OUT d int, OUT e text) LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 5 AS $$SELECT a, b$$;
CREATE FUNCTION f(a text) RETURNS SETOF int LANGUAGE plpgsql ROWS 7 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET work_mem = '8MB' AS 'BEGIN RETURN NEXT 1; END';
CREATE FUNCTION g(VARIADIC n int[] DEFAULT '{1,2}') RETURNS TABLE (x int, y varchar) LANGUAGE sql LEAKPROOF IMMUTABLE AS 'SELECT 1, ''y''';
CREATE FUNCTION h(w varchar DEFAULT CASE WHEN 'a'::varchar IN ('a', 'b') THEN 'c' END) RETURNS bool LANGUAGE sql AS $_$SELECT $1 IN ('a', 'b')$_$;
CREATE FUNCTION "Odd name"(INOUT "Odd arg" int) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p(INOUT a int DEFAULT 1, b varchar DEFAULT 'z') LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
COMMENT ON FUNCTION f(text) IS 'text one'; COMMENT ON PROCEDURE p IS 'works';
-- Fault: CREATE OR REPLACE FUNCTION h(w varchar DEFAULT CASE WHEN 'a'::varchar IN ('a', 'c') THEN 'c' END) RETURNS bool LANGUAGE sql AS $_$SELECT $1 IN ('a', 'b')$_$
-- Fault: CREATE OR REPLACE FUNCTION h(w varchar DEFAULT CASE WHEN 'a'::varchar IN ('a', 'b') THEN 'c' END) RETURNS bool LANGUAGE sql AS $_$SELECT $1 IN ('a', 'c')$_$
-- Fault: ALTER FUNCTION f(text) RESET work_mem
-- Fault: ALTER FUNCTION g(int[]) NOT LEAKPROOF
-- Fault: ALTER FUNCTION f(int, varchar, text[]) COST 6
-- Fault: DROP PROCEDURE p
