-- Times kept as text in several forms become timestamptz: the way back writes all in one form.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.person
--- before
CREATE TABLE person (id int PRIMARY KEY, seen text);
INSERT INTO person VALUES (1, '2026-01-02 03:04:05+00'), (2, 'Jan 5 2026 12:00 UTC');
--- apply
ALTER TABLE person ALTER COLUMN seen TYPE timestamptz USING seen::timestamptz;
--- rollback
ALTER TABLE person ALTER COLUMN seen TYPE text USING seen::text;
