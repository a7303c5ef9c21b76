-- A constraint that an earlier migration left unvalidated is validated; the way back makes it NOT VALID again.
-- Verdict: deployed
--- before
CREATE TABLE stock (id int PRIMARY KEY, pieces int);
INSERT INTO stock VALUES (1, 5);
ALTER TABLE stock ADD CONSTRAINT pieces_known CHECK (pieces >= 0) NOT VALID;
--- apply
ALTER TABLE stock VALIDATE CONSTRAINT pieces_known;
--- rollback
ALTER TABLE stock DROP CONSTRAINT pieces_known;
ALTER TABLE stock ADD CONSTRAINT pieces_known CHECK (pieces >= 0) NOT VALID;
--- users
INSERT INTO stock VALUES (2, 0);
