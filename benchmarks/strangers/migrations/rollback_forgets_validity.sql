-- A constraint that was not valid comes back valid.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: pieces_known
--- before
CREATE TABLE stock (id int PRIMARY KEY, pieces int);
INSERT INTO stock VALUES (1, 5);
ALTER TABLE stock ADD CONSTRAINT pieces_known CHECK (pieces >= 0) NOT VALID;
--- apply
ALTER TABLE stock VALIDATE CONSTRAINT pieces_known;
--- rollback
ALTER TABLE stock DROP CONSTRAINT pieces_known;
ALTER TABLE stock ADD CONSTRAINT pieces_known CHECK (pieces >= 0);
