-- Aggregates: moving, ordered set, hypothetical, parallel, variadic.
CREATE FUNCTION plus(s numeric, n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT s + coalesce(n, 0)';
CREATE FUNCTION minus(s numeric, n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT s - coalesce(n, 0)';
CREATE AGGREGATE total (numeric) (SFUNC = plus, STYPE = numeric, INITCOND = '0', MSFUNC = plus, MINVFUNC = minus, MSTYPE = numeric, MINITCOND = '0', COMBINEFUNC = plus, PARALLEL = safe, SSPACE = 8);
CREATE AGGREGATE middle (float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE place (VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE least_of (int) (SFUNC = int4smaller, STYPE = int, SORTOP = <);
CREATE TABLE n (v numeric, g varchar(3)); INSERT INTO n VALUES (1, 'a'), (2, 'b');
CREATE VIEW totals AS SELECT g, total(v) FILTER (WHERE g IN ('a', 'b')) FROM n GROUP BY g;
COMMENT ON AGGREGATE total (numeric) IS 'sum';
-- Fault: CREATE OR REPLACE AGGREGATE total (numeric) (SFUNC = plus, STYPE = numeric, INITCOND = '1', MSFUNC = plus, MINVFUNC = minus, MSTYPE = numeric, MINITCOND = '0', COMBINEFUNC = plus, PARALLEL = safe, SSPACE = 8)
-- Fault: DROP AGGREGATE least_of (int)
-- Fault: COMMENT ON AGGREGATE total (numeric) IS NULL
