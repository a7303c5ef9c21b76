-- An old partition is detached without a lock that anybody would notice.
-- Verdict: deployed
--- before
CREATE TABLE event (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO event VALUES (1, '2024-05-05'), (2, '2025-05-05');
--- apply
ALTER TABLE event DETACH PARTITION event_2024 CONCURRENTLY;
--- rollback
ALTER TABLE event_2024 DROP CONSTRAINT IF EXISTS event_2024_at_check;
ALTER TABLE event ATTACH PARTITION event_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
--- users
INSERT INTO event VALUES (3, '2025-06-06');
