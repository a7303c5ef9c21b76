-- An index on a partitioned table, made on the parent alone and then by attaching those of the partitions.
-- Verdict: deployed
--- before
CREATE TABLE event (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO event VALUES (1, '2025-05-05'), (2, '2026-05-05');
--- apply
CREATE INDEX event_id ON ONLY event (id);
CREATE INDEX CONCURRENTLY event_2025_id ON event_2025 (id);
ALTER INDEX event_id ATTACH PARTITION event_2025_id;
CREATE INDEX CONCURRENTLY event_2026_id ON event_2026 (id);
ALTER INDEX event_id ATTACH PARTITION event_2026_id;
--- rollback
DROP INDEX event_id;
--- users
INSERT INTO event VALUES (3, '2026-06-06');
