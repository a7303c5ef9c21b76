-- A verify script finds that the migration has not done all that it should.
-- Verdict: refused check_failed
-- Names: verify/002_verify_says_no.sql
-- Names: persons without an initial
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Ada'), (2, NULL);
--- apply
ALTER TABLE person ADD COLUMN initial text;
UPDATE person SET initial = left(name, 1);
--- rollback
ALTER TABLE person DROP COLUMN initial;
--- verify
SELECT count(*) = 0, 'persons without an initial', count(*) FROM person WHERE initial IS NULL;
