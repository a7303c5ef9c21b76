-- NOT NULL NOT VALID, as PostgreSQL 18 has it, in a table that has a NULL.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Ada'), (2, NULL);
--- apply
ALTER TABLE person ADD CONSTRAINT name_known NOT NULL name NOT VALID;
--- rollback
ALTER TABLE person DROP CONSTRAINT name_known;
--- users
INSERT INTO person VALUES (3, 'Grace');
