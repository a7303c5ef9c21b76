-- A backfill in batches, within the one transaction that there is.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, email text);
INSERT INTO person SELECT n, 'User' || n || '@Example.org' FROM generate_series(1, 500) AS n;
--- apply
ALTER TABLE person ADD COLUMN email_norm text;
DO $$
DECLARE
    changed int;
BEGIN
    LOOP
        UPDATE person SET email_norm = lower(email)
        WHERE id IN (SELECT id FROM person WHERE email_norm IS NULL AND email IS NOT NULL ORDER BY id LIMIT 100);
        GET DIAGNOSTICS changed = ROW_COUNT;
        EXIT WHEN changed = 0;
    END LOOP;
END $$;
--- rollback
ALTER TABLE person DROP COLUMN email_norm;
--- users
UPDATE person SET email_norm = 'by hand' WHERE id = 7;
