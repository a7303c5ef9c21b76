-- Two tables of one kind become one; the way back parts them again.
-- Verdict: deployed
--- before
CREATE TABLE cat (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE dog (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO cat VALUES (1, 'Tom'), (2, 'Felix');
INSERT INTO dog VALUES (1, 'Rex');
--- apply
CREATE TABLE pet (kind text NOT NULL CHECK (kind IN ('cat', 'dog')), id int NOT NULL, name text NOT NULL, PRIMARY KEY (kind, id));
INSERT INTO pet SELECT 'cat', id, name FROM cat;
INSERT INTO pet SELECT 'dog', id, name FROM dog;
DROP TABLE cat, dog;
--- rollback
CREATE TABLE cat (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE dog (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO cat SELECT id, name FROM pet WHERE kind = 'cat';
INSERT INTO dog SELECT id, name FROM pet WHERE kind = 'dog';
DROP TABLE pet;
--- users
INSERT INTO pet VALUES ('dog', 2, 'Fido');
UPDATE pet SET name = 'Thomas' WHERE kind = 'cat' AND id = 1;
