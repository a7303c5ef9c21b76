-- A backfill that commits each batch, as it would in psql; in a transaction PostgreSQL does not let it.
-- Verdict: refused statement_failed
-- Names: invalid transaction termination
-- Names: 002_backfill_that_commits.sql
--- before
CREATE TABLE person (id int PRIMARY KEY, email text, email_norm text);
INSERT INTO person SELECT n, 'User' || n || '@Example.org' FROM generate_series(1, 50) AS n;
--- apply
DO $$
BEGIN
    FOR batch IN 0..4 LOOP
        UPDATE person SET email_norm = lower(email) WHERE id / 10 = batch;
        COMMIT;
    END LOOP;
END $$;
--- rollback
UPDATE person SET email_norm = NULL;
