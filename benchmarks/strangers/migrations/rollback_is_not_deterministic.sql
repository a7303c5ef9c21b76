-- A rollback that makes up a name.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note_backup_
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
DO $$ BEGIN EXECUTE format('CREATE TABLE note_backup_%s AS TABLE note', extract(epoch FROM clock_timestamp())::bigint); END $$;
ALTER TABLE note DROP COLUMN body;
