-- A new partition for rows that the default partition has already.
-- Verdict: refused statement_failed
-- Names: updated partition constraint for default partition "event_rest" would be violated by some row
--- before
CREATE TABLE event (id int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event VALUES (1, '2026-02-03');
--- apply
CREATE TABLE event_2026_02 PARTITION OF event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
--- rollback
DROP TABLE event_2026_02;
