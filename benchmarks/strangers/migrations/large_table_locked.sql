-- A large table is locked while the script waits for something else.
-- Verdict: consent max_lock_seconds=30, impact_not_allowed without it
-- Names: AccessExclusiveLock on public.event
-- Names: max_lock_seconds=
-- With: large_table_mb=0
-- With: max_lock_seconds=0.3
--- before
CREATE TABLE event (id int PRIMARY KEY, kind int);
INSERT INTO event SELECT n, n FROM generate_series(1, 1000) AS n;
--- apply
ALTER TABLE event ADD COLUMN note text;
SELECT pg_sleep(0.5);
--- rollback
ALTER TABLE event DROP COLUMN note;
--- users
UPDATE event SET note = 'x' WHERE id = 1;
