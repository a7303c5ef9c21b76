-- A default that is worked out when the migration runs: on the copy another one than in production.
-- Verdict: refused rehearsal_second_apply_differs
-- Names: public.note.batch
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
DO $$ BEGIN EXECUTE format('ALTER TABLE note ADD COLUMN batch text DEFAULT %L', clock_timestamp()); END $$;
--- rollback
ALTER TABLE note DROP COLUMN batch;
