-- A partition of a year is taken apart into halves, row by row.
-- Verdict: deployed
--- before
CREATE TABLE event (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO event VALUES (1, '2026-02-02'), (2, '2026-08-08');
--- apply
ALTER TABLE event DETACH PARTITION event_2026;
CREATE TABLE event_2026_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE event_2026_2 PARTITION OF event FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO event SELECT * FROM event_2026;
DROP TABLE event_2026;
--- rollback
CREATE TABLE event_2026 (LIKE event);
INSERT INTO event_2026 SELECT * FROM event;
DROP TABLE event_2026_1, event_2026_2;
ALTER TABLE event ATTACH PARTITION event_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
--- users
INSERT INTO event VALUES (3, '2026-09-09');
DELETE FROM event WHERE id = 1;
