-- The header says that nothing is lost, and rows are deleted, though the rollback has them.
-- Verdict: consent accept_data_loss=true, impact_not_allowed without it
-- Names: Data Loss: NONE
-- Names: deletes 1 rows of public.person
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Ada'), (2, NULL);
--- apply
-- Data Loss: NONE
CREATE TABLE person_without_name AS SELECT * FROM person WHERE name IS NULL;
DELETE FROM person WHERE name IS NULL;
ALTER TABLE person ALTER COLUMN name SET NOT NULL;
--- rollback
ALTER TABLE person ALTER COLUMN name DROP NOT NULL;
INSERT INTO person SELECT * FROM person_without_name;
DROP TABLE person_without_name;
--- users
INSERT INTO person VALUES (3, 'Grace');
