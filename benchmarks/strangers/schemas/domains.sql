-- Domains over domains, with checks, lists, defaults, collations and NOT NULL; arrays and composites of them.
CREATE DOMAIN word AS varchar(10) COLLATE "C" DEFAULT 'a' CONSTRAINT known CHECK (VALUE IN ('a', 'b', 'c'));
CREATE DOMAIN better AS word NOT NULL CONSTRAINT short CHECK (length(VALUE) < 5) CHECK (VALUE NOT IN ('c', 'd'));
CREATE DOMAIN share AS numeric(5, 2) DEFAULT 0 CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN words AS word[] CHECK (array_length(VALUE, 1) > 0);
ALTER DOMAIN share ADD CONSTRAINT round CHECK (VALUE = round(VALUE)) NOT VALID;
CREATE TYPE shaped AS (w word, s share);
CREATE TABLE uses (a better, b share, c words, d shaped, e word[]);
COMMENT ON CONSTRAINT known ON DOMAIN word IS 'of all';
INSERT INTO uses VALUES ('a', 5, '{a,b}', ROW('a', 1), '{c}');
-- Fault: ALTER DOMAIN word DROP CONSTRAINT known; ALTER DOMAIN word ADD CONSTRAINT known CHECK (VALUE IN ('a', 'b', 'C')) NOT VALID
-- Fault: ALTER DOMAIN better DROP CONSTRAINT short
-- Fault: ALTER DOMAIN word SET DEFAULT 'b'
-- Fault: ALTER DOMAIN better DROP NOT NULL
-- Fault: DROP TABLE uses; ALTER DOMAIN share VALIDATE CONSTRAINT round
