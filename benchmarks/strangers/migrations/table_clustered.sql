-- A table is sorted by an index, which it remembers.
-- Verdict: deployed
--- before
CREATE TABLE event (id int PRIMARY KEY, kind text);
CREATE INDEX event_kind ON event (kind);
INSERT INTO event SELECT n, 'k' || n % 7 FROM generate_series(1, 100) AS n;
--- apply
CLUSTER event USING event_kind;
--- rollback
ALTER TABLE event SET WITHOUT CLUSTER;
--- users
INSERT INTO event VALUES (101, 'k0');
