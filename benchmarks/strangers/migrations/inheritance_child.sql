-- A child by inheritance, with a column and a check of its own.
-- Verdict: deployed
--- before
CREATE TABLE vehicle (id int PRIMARY KEY, wheels int CHECK (wheels > 0));
INSERT INTO vehicle VALUES (1, 2);
--- apply
CREATE TABLE lorry (load_kg int CHECK (load_kg >= 0), PRIMARY KEY (id)) INHERITS (vehicle);
--- rollback
DROP TABLE lorry;
--- users
INSERT INTO lorry VALUES (2, 6, 7500);
