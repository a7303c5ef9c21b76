-- Times lose their zone and get another one back.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.event
--- before
CREATE TABLE event (id int PRIMARY KEY, at timestamptz);
INSERT INTO event VALUES (1, '2026-01-01 12:00+00');
--- apply
ALTER TABLE event ALTER COLUMN at TYPE timestamp USING at AT TIME ZONE 'Europe/Paris';
--- rollback
ALTER TABLE event ALTER COLUMN at TYPE timestamptz USING at AT TIME ZONE 'UTC';
