-- Tables, indexes, partitioned tables and materialized views in another tablespace.
-- Needs: tablespace
CREATE TABLE here (id int PRIMARY KEY USING INDEX TABLESPACE strangers_space, s varchar(3)) TABLESPACE strangers_space;
CREATE INDEX here_s ON here (s) TABLESPACE strangers_space WHERE s IN ('a', 'b');
CREATE TABLE root (id int PRIMARY KEY USING INDEX TABLESPACE strangers_space) PARTITION BY LIST (id) TABLESPACE strangers_space;
CREATE TABLE leaf PARTITION OF root FOR VALUES IN (1); CREATE TABLE leaf_default PARTITION OF root FOR VALUES IN (2) TABLESPACE pg_default;
CREATE INDEX root_id ON root (id, (id + 1)) TABLESPACE strangers_space;
CREATE MATERIALIZED VIEW m TABLESPACE strangers_space AS SELECT 1 AS one;
INSERT INTO here VALUES (1, 'a'); INSERT INTO root VALUES (1);
-- Fault: ALTER TABLE here SET TABLESPACE pg_default
-- Fault: ALTER INDEX here_s SET TABLESPACE pg_default
