-- Operators, families and classes made by hand, loose members of a family, and an index that uses them.
CREATE FUNCTION near(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT lower($1) = lower($2)';
CREATE FUNCTION apart(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT lower($1) <> lower($2)';
CREATE FUNCTION hashed(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT hashtext(lower($1))';
CREATE SCHEMA ops;
CREATE OPERATOR ops.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = near, COMMUTATOR = OPERATOR(ops.===), NEGATOR = OPERATOR(ops.!==), HASHES, MERGES);
CREATE OPERATOR ops.!== (LEFTARG = text, RIGHTARG = text, FUNCTION = apart);
CREATE OPERATOR ops.!!! (RIGHTARG = text, FUNCTION = hashed);
CREATE OPERATOR FAMILY loose USING hash;
CREATE OPERATOR CLASS by_case FOR TYPE text USING hash FAMILY loose AS OPERATOR 1 ops.===, FUNCTION 1 hashed(text);
ALTER OPERATOR FAMILY loose USING hash ADD OPERATOR 1 = (int, int), FUNCTION 1 (int, int) hashint4(int);
CREATE TABLE named (n text, CHECK (n OPERATOR(ops.!==) 'x')); CREATE INDEX named_n ON named USING hash (n by_case);
INSERT INTO named VALUES ('A');
-- Fault: ALTER OPERATOR FAMILY loose USING hash DROP OPERATOR 1 (int, int)
-- Fault: ALTER TABLE named DROP CONSTRAINT named_n_check, ADD CONSTRAINT named_n_check CHECK (n OPERATOR(ops.===) 'x') NOT VALID
-- Fault: DROP INDEX named_n
