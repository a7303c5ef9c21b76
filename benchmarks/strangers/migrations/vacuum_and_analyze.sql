-- VACUUM cannot be in a transaction, and nothing of it is to be taken back.
-- Verdict: consent accept_empty_rollback=true, impact_not_allowed without it
-- Names: accept_empty_rollback=true
--- before
CREATE TABLE event (id int PRIMARY KEY, kind text);
INSERT INTO event SELECT n, 'k' FROM generate_series(1, 50) AS n;
DELETE FROM event WHERE id > 25;
--- apply
VACUUM (ANALYZE) event;
--- rollback
ANALYZE event;
