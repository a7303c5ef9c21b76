-- A base type made by hand, with a shell, an operator class and a cast to it.
CREATE TYPE score;
CREATE FUNCTION score_in(cstring) RETURNS score LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION score_out(score) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE score (INPUT = score_in, OUTPUT = score_out, LIKE = int4, DEFAULT = '7', CATEGORY = 'U', PREFERRED = false, DELIMITER = ';');
CREATE FUNCTION score_lt(score, score) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION score_gt(score, score) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE OPERATOR < (LEFTARG = score, RIGHTARG = score, FUNCTION = score_lt, COMMUTATOR = >, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR > (LEFTARG = score, RIGHTARG = score, FUNCTION = score_gt, COMMUTATOR = <);
CREATE CAST (int AS score) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE TYPE shell_only;
CREATE TABLE scored (s score, many score[]); INSERT INTO scored VALUES ('5', '{1;2}');
-- Fault: DROP CAST (int AS score)
-- Fault: ALTER OPERATOR < (score, score) SET (RESTRICT = NONE)
-- Fault: DROP OPERATOR > (score, score)
