-- Partitions with defaults, generated columns, identities, options and storage of their own.
-- PostgreSQL: 16
CREATE TABLE root (id int, s varchar(3) DEFAULT 'a', n int DEFAULT 1, g text GENERATED ALWAYS AS (s || 'x') STORED) PARTITION BY RANGE (id);
CREATE TABLE a PARTITION OF root (s DEFAULT 'b', n DEFAULT NULL) FOR VALUES FROM (0) TO (10) WITH (fillfactor = 66);
CREATE TABLE b (s varchar(3) DEFAULT 'q', id int, g text GENERATED ALWAYS AS (s || 'y') STORED, n int); ALTER TABLE root ATTACH PARTITION b FOR VALUES FROM (10) TO (20);
ALTER TABLE a ALTER s SET STATISTICS 5, ALTER g SET STORAGE EXTERNAL; INSERT INTO root (id) VALUES (1), (11);
-- Fault: ALTER TABLE a ALTER s SET DEFAULT 'c'
-- Fault: ALTER TABLE a ALTER s SET STATISTICS 6
-- Fault: ALTER TABLE b ALTER s DROP DEFAULT
