-- The partition of the next month.
-- Verdict: deployed
--- before
CREATE TABLE event (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_2026_01 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE INDEX event_at ON event (at);
INSERT INTO event VALUES (1, '2026-01-05');
--- apply
CREATE TABLE IF NOT EXISTS event_2026_02 PARTITION OF event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
--- rollback
DROP TABLE event_2026_02;
--- users
INSERT INTO event VALUES (2, '2026-02-05'), (3, '2026-01-31');
