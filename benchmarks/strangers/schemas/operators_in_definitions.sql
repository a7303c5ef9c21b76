-- Operators and functions of the application in definitions, with names that also stand in pg_catalog.
CREATE SCHEMA mine; CREATE FUNCTION mine.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE FUNCTION mine.eq(varchar, varchar) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR mine.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = mine.eq);
CREATE TABLE o (s varchar(5) CHECK (s OPERATOR(mine.=) 'x'::varchar AND mine.lower(s) IN ('a', 'b')), p varchar(5) GENERATED ALWAYS AS (mine.lower(s)) STORED);
CREATE VIEW ov AS SELECT * FROM o WHERE s OPERATOR(mine.=) ANY (ARRAY['a', 'b']::varchar[]) AND s IN ('a', 'b'); CREATE INDEX o_i ON o (mine.lower(s)) WHERE s IN ('a', 'b');
INSERT INTO o VALUES ('a');
-- Fault: CREATE OR REPLACE VIEW ov AS SELECT * FROM o WHERE s = ANY (ARRAY['a', 'b']::varchar[]) AND s IN ('a', 'b')
-- Fault: ALTER TABLE o DROP CONSTRAINT o_s_check, ADD CONSTRAINT o_s_check CHECK (s = 'x'::varchar AND mine.lower(s) IN ('a', 'b')) NOT VALID
