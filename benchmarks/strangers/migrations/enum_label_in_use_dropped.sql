-- An enum loses a label that a row has.
-- Verdict: refused statement_failed
-- Names: invalid input value for enum colour: "puce"
--- before
CREATE TYPE colour AS ENUM ('red', 'puce');
CREATE TABLE car (id int PRIMARY KEY, colour colour);
INSERT INTO car VALUES (1, 'puce');
--- apply
ALTER TYPE colour RENAME TO colour_old;
CREATE TYPE colour AS ENUM ('red');
ALTER TABLE car ALTER COLUMN colour TYPE colour USING colour::text::colour;
DROP TYPE colour_old;
--- rollback
ALTER TYPE colour ADD VALUE 'puce';
