-- A table that was filled beside becomes a partition.
-- Verdict: deployed
--- before
CREATE TABLE event (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2026_01 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE event_2026_02 (id int NOT NULL, at date NOT NULL, CONSTRAINT in_february CHECK (at >= '2026-02-01' AND at < '2026-03-01'));
INSERT INTO event VALUES (1, '2026-01-05');
INSERT INTO event_2026_02 VALUES (2, '2026-02-05');
--- apply
ALTER TABLE event ATTACH PARTITION event_2026_02 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
--- rollback
ALTER TABLE event DETACH PARTITION event_2026_02;
--- users
INSERT INTO event VALUES (3, '2026-02-06');
