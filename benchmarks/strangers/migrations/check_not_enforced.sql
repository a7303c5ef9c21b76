-- A check that is only documented, and a key likewise.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, age int);
INSERT INTO person VALUES (1, -5);
--- apply
ALTER TABLE person ADD CONSTRAINT age_known CHECK (age >= 0) NOT ENFORCED;
ALTER TABLE person ADD COLUMN boss int CONSTRAINT boss_known REFERENCES person NOT ENFORCED;
--- rollback
ALTER TABLE person DROP COLUMN boss;
ALTER TABLE person DROP CONSTRAINT age_known;
--- users
INSERT INTO person VALUES (2, -6, 77);
