-- A column becomes smaller than a value that it has.
-- Verdict: refused statement_failed
-- Names: smallint out of range
--- before
CREATE TABLE stock (id int PRIMARY KEY, pieces int);
INSERT INTO stock VALUES (1, 40000);
--- apply
ALTER TABLE stock ALTER COLUMN pieces TYPE smallint;
--- rollback
ALTER TABLE stock ALTER COLUMN pieces TYPE int;
