-- A script that looks itself whether it may run, and raises an error.
-- Verdict: refused statement_failed
-- Names: there are still 1 drafts
-- Names: line 1
--- before
CREATE TABLE note (id int PRIMARY KEY, draft boolean);
INSERT INTO note VALUES (1, true);
--- apply
DO $$
DECLARE drafts int;
BEGIN
    SELECT count(*) INTO drafts FROM note WHERE draft;
    IF drafts > 0 THEN
        RAISE EXCEPTION 'there are still % drafts', drafts USING HINT = 'publish them first';
    END IF;
END $$;
ALTER TABLE note DROP COLUMN draft;
--- rollback
ALTER TABLE note ADD COLUMN draft boolean;
