-- A verify script that raises an error, as many do.
-- Verdict: refused statement_failed
-- Names: verify/002_verify_raises.sql
-- Names: 1 persons without a number
--- before
CREATE TABLE person (id int PRIMARY KEY);
INSERT INTO person VALUES (1);
--- apply
ALTER TABLE person ADD COLUMN number int;
--- rollback
ALTER TABLE person DROP COLUMN number;
--- verify
DO $$
DECLARE missing int;
BEGIN
    SELECT count(*) INTO missing FROM person WHERE number IS NULL;
    IF missing > 0 THEN RAISE EXCEPTION '% persons without a number', missing; END IF;
END $$;
