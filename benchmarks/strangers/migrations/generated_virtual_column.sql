-- A generated column that is not stored, as PostgreSQL 18 makes them.
-- Verdict: deployed
--- before
CREATE TABLE line (id int PRIMARY KEY, amount int NOT NULL);
INSERT INTO line VALUES (1, 2), (2, 3);
--- apply
ALTER TABLE line ADD COLUMN doubled int GENERATED ALWAYS AS (amount * 2) VIRTUAL;
ALTER TABLE line ADD CONSTRAINT doubled_even CHECK (doubled % 2 = 0);
--- rollback
ALTER TABLE line DROP COLUMN doubled;
--- users
INSERT INTO line VALUES (3, 7);
