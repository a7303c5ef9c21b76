-- Collations of the C library and the builtin provider, in domains, indexes and expressions.
CREATE COLLATION plain (provider = libc, locale = 'C'); CREATE COLLATION "Copy" FROM "C";
CREATE DOMAIN name_text AS text COLLATE plain;
CREATE TABLE sorted (a name_text, b text COLLATE "Copy", c varchar(5) CHECK (c COLLATE "C" IN ('x', 'y')));
CREATE INDEX sorted_b ON sorted (b COLLATE plain, (lower(c) COLLATE "C"));
COMMENT ON COLLATION plain IS 'plain';
INSERT INTO sorted VALUES ('a', 'b', 'x');
-- Fault: ALTER TABLE sorted ALTER b TYPE text COLLATE plain
-- Fault: ALTER TABLE sorted DROP CONSTRAINT sorted_c_check, ADD CONSTRAINT sorted_c_check CHECK (c COLLATE "C" IN ('x', 'z')) NOT VALID
-- Fault: COMMENT ON COLLATION plain IS NULL
