-- Casts by functions, by text and without; transforms are of languages that are not here; a conversion.
CREATE TYPE size AS ENUM ('s', 'm'); CREATE TYPE dims AS (a int, b int);
CREATE FUNCTION to_int(size) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (size AS int) WITH FUNCTION to_int(size) AS IMPLICIT;
CREATE CAST (size AS bigint) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION dims_text(dims) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''d''';
CREATE CAST (dims AS text) WITH FUNCTION dims_text(dims);
CREATE DEFAULT CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CAST (size AS int) IS 'number'; COMMENT ON CONVERSION latin IS 'l';
CREATE TABLE sized (s size, n int GENERATED ALWAYS AS (to_int(s)) STORED, CHECK (s::int IN (1, 2)));
INSERT INTO sized VALUES ('s');
-- Fault: DROP CAST (size AS bigint); CREATE CAST (size AS bigint) WITH INOUT
-- Fault: COMMENT ON CAST (size AS int) IS NULL
-- Fault: DROP CONVERSION latin
