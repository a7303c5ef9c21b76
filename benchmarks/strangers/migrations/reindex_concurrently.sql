-- Bloated indexes are built again. There is nothing to take back, and so the rollback does nothing: somebody has to agree.
-- Verdict: consent accept_empty_rollback=true, impact_not_allowed without it
-- Names: its rollback changes neither schema nor rows
-- Names: accept_empty_rollback=true
--- before
CREATE TABLE event (id int PRIMARY KEY, kind text);
CREATE INDEX event_kind ON event (kind);
INSERT INTO event SELECT n, 'k' FROM generate_series(1, 50) AS n;
--- apply
REINDEX TABLE CONCURRENTLY event;
--- rollback
SELECT 1;
