-- What the author took for granted does not hold.
-- Verdict: refused precondition_not_met
-- Names: persons without a name
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, NULL);
--- precheck
SELECT count(*) = 0, 'persons without a name', count(*) FROM person WHERE name IS NULL;
--- apply
ALTER TABLE person ADD COLUMN initial char(1);
--- rollback
ALTER TABLE person DROP COLUMN initial;
