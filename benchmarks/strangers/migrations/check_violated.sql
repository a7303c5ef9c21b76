-- A check that a row breaks.
-- Verdict: refused statement_failed
-- Names: stock_not_negative
--- before
CREATE TABLE stock (id int PRIMARY KEY, pieces int);
INSERT INTO stock VALUES (1, -1);
--- apply
ALTER TABLE stock ADD CONSTRAINT stock_not_negative CHECK (pieces >= 0);
--- rollback
ALTER TABLE stock DROP CONSTRAINT stock_not_negative;
