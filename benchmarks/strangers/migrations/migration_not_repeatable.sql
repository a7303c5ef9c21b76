-- A migration that works once: the rollback leaves a row by which the second time does nothing.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.done
--- before
CREATE TABLE done (step text PRIMARY KEY);
CREATE TABLE note (id int PRIMARY KEY);
--- apply
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM done WHERE step = 'body') THEN
        ALTER TABLE note ADD COLUMN body text;
        INSERT INTO done VALUES ('body');
    END IF;
END $$;
--- rollback
ALTER TABLE note DROP COLUMN body;
