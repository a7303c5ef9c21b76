-- Indexes on partitions only, on the root only with some attached, and keys of partitions alone.
CREATE TABLE root (id int, s varchar(3), t int) PARTITION BY LIST (id); CREATE TABLE a PARTITION OF root FOR VALUES IN (1); CREATE TABLE b PARTITION OF root FOR VALUES IN (2);
CREATE INDEX only_root ON ONLY root (s); CREATE INDEX a_s ON a (s); ALTER INDEX only_root ATTACH PARTITION a_s;
CREATE UNIQUE INDEX a_t ON a (t) WHERE s IN ('a', 'b'); ALTER TABLE b ADD PRIMARY KEY (t); CREATE INDEX root_list ON root (t) WHERE s IN ('a', 'b');
ALTER TABLE ONLY root ADD CONSTRAINT root_u UNIQUE (id, t); ALTER TABLE a ADD CONSTRAINT a_u UNIQUE (id, t); ALTER INDEX root_u ATTACH PARTITION a_u;
INSERT INTO root VALUES (1, 'a', 1);
-- Fault: DROP INDEX a_t; CREATE UNIQUE INDEX a_t ON a (t) WHERE s IN ('a', 'c')
-- Fault: ALTER TABLE b DROP CONSTRAINT b_pkey
-- Fault: CREATE INDEX b_s ON b (s); ALTER INDEX only_root ATTACH PARTITION b_s
