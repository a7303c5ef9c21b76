-- Keys WITHOUT OVERLAPS and foreign keys with PERIOD, also on partitions.
-- PostgreSQL: 18
-- Needs: extension btree_gist
CREATE EXTENSION btree_gist;
CREATE TABLE rate (id int, valid daterange, value numeric, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE rate_use (id int, rate int, during daterange, UNIQUE (id, during WITHOUT OVERLAPS),
    FOREIGN KEY (rate, PERIOD during) REFERENCES rate (id, PERIOD valid));
CREATE TABLE split (id int, at daterange, PRIMARY KEY (id, at WITHOUT OVERLAPS)) PARTITION BY LIST (id);
CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
INSERT INTO rate VALUES (1, '[2020-01-01,2021-01-01)', 5); INSERT INTO rate_use VALUES (1, 1, '[2020-02-01,2020-03-01)');
INSERT INTO split VALUES (1, '[2020-01-01,2021-01-01)');
-- Fault: ALTER TABLE rate_use DROP CONSTRAINT rate_use_rate_during_fkey
-- Fault: ALTER TABLE rate_use DROP CONSTRAINT rate_use_id_during_key, ADD CONSTRAINT rate_use_id_during_key UNIQUE (id, during)
