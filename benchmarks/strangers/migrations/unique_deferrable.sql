-- Positions of a list, which may change places within a transaction.
-- Verdict: deployed
--- before
CREATE TABLE entry (id int PRIMARY KEY, place int NOT NULL);
INSERT INTO entry VALUES (1, 1), (2, 2), (3, 3);
--- apply
ALTER TABLE entry ADD CONSTRAINT entry_place UNIQUE (place) DEFERRABLE INITIALLY DEFERRED;
--- rollback
ALTER TABLE entry DROP CONSTRAINT entry_place;
--- users
UPDATE entry SET place = 4 - place;
