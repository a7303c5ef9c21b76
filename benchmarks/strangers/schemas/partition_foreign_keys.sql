-- Foreign keys from and to partitioned tables, made before and after the partitions.
CREATE TABLE parent (id int PRIMARY KEY, s text) PARTITION BY RANGE (id);
CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM (0) TO (10);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE DEFERRABLE) PARTITION BY LIST (id);
CREATE TABLE child_1 PARTITION OF child FOR VALUES IN (1);
CREATE TABLE child_2 (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE DEFERRABLE);
ALTER TABLE child ATTACH PARTITION child_2 FOR VALUES IN (2);
CREATE TABLE parent_2 PARTITION OF parent FOR VALUES FROM (10) TO (20);
CREATE TABLE leaf_only (id int REFERENCES parent_1);
INSERT INTO parent VALUES (1, 'a'), (11, 'b');
INSERT INTO child VALUES (1, 11), (2, 1);
-- Fault: ALTER TABLE child DROP CONSTRAINT child_parent_fkey
-- Fault: ALTER TABLE leaf_only DROP CONSTRAINT leaf_only_id_fkey
