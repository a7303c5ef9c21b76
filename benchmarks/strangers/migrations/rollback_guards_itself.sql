-- A rollback that refuses to run where people have used what it would drop: with users' rows it never would.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
ALTER TABLE note ADD COLUMN stars int;
--- rollback
DO $$
BEGIN
    IF EXISTS (SELECT FROM note WHERE stars > 5) THEN
        RAISE EXCEPTION 'somebody gave more than five stars';
    END IF;
END $$;
ALTER TABLE note DROP COLUMN stars;
--- users
UPDATE note SET stars = 4;
