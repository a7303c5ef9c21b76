-- A table is split in two, and the way back puts it together.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, street text, city text);
INSERT INTO person VALUES (1, 'Ada', 'S1', 'London'), (2, 'Grace', NULL, NULL), (3, 'Barbara', NULL, 'Boston');
--- apply
CREATE TABLE address (person_id int PRIMARY KEY REFERENCES person ON DELETE CASCADE, street text, city text);
INSERT INTO address SELECT id, street, city FROM person WHERE street IS NOT NULL OR city IS NOT NULL;
ALTER TABLE person DROP COLUMN street;
ALTER TABLE person DROP COLUMN city;
--- rollback
ALTER TABLE person ADD COLUMN street text;
ALTER TABLE person ADD COLUMN city text;
UPDATE person SET street = a.street, city = a.city FROM address AS a WHERE a.person_id = person.id;
DROP TABLE address;
--- users
INSERT INTO address VALUES (2, 'S2', 'New York');
UPDATE address SET city = 'Cambridge' WHERE person_id = 3;
