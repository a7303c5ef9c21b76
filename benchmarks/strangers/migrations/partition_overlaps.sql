-- A partition whose range begins where another one still is.
-- Verdict: refused statement_failed
-- Names: would overlap partition "event_2026"
--- before
CREATE TABLE event (id int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
--- apply
CREATE TABLE event_2026_12 PARTITION OF event FOR VALUES FROM ('2026-12-01') TO ('2027-02-01');
--- rollback
DROP TABLE event_2026_12;
