-- A table is taken to partitions: a new one beside it, the rows moved, the name taken over.
-- Verdict: deployed
--- before
CREATE TABLE event (id int NOT NULL, kind text NOT NULL);
INSERT INTO event VALUES (1, 'a'), (2, 'b'), (3, 'c');
--- apply
ALTER TABLE event RENAME TO event_unpartitioned;
CREATE TABLE event (id int NOT NULL, kind text NOT NULL) PARTITION BY LIST (kind);
CREATE TABLE event_a PARTITION OF event FOR VALUES IN ('a');
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event SELECT * FROM event_unpartitioned;
DROP TABLE event_unpartitioned;
--- rollback
ALTER TABLE event RENAME TO event_partitioned;
CREATE TABLE event (id int NOT NULL, kind text NOT NULL);
INSERT INTO event SELECT * FROM event_partitioned;
DROP TABLE event_partitioned;
--- users
INSERT INTO event VALUES (4, 'a'), (5, 'z');
