-- Unlogged tables, also partitions, with sequences and indexes.
CREATE UNLOGGED TABLE fleeting (id serial PRIMARY KEY, s varchar(3) CHECK (s IN ('a', 'b')));
CREATE TABLE root (id int) PARTITION BY LIST (id); CREATE UNLOGGED TABLE leaf PARTITION OF root FOR VALUES IN (1);
INSERT INTO fleeting (s) VALUES ('a'); INSERT INTO root VALUES (1);
-- Fault: ALTER TABLE leaf SET LOGGED
-- Fault: ALTER TABLE fleeting SET LOGGED
