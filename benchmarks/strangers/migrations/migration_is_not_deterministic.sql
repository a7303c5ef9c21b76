-- A migration that makes up a name: the second time another one. What was rehearsed is not what would be done.
-- Verdict: refused rehearsal_second_apply_differs
-- Names: public.note_backup_
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
DO $$ BEGIN EXECUTE format('CREATE TABLE note_backup_%s AS TABLE note', replace(gen_random_uuid()::text, '-', '')); END $$;
--- rollback
DO $$
DECLARE one regclass;
BEGIN
    FOR one IN SELECT oid FROM pg_class WHERE relname LIKE 'note\_backup\_%' AND relkind = 'r' LOOP
        EXECUTE format('DROP TABLE %s', one);
    END LOOP;
END $$;
