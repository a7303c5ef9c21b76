-- Tables partitioned BY HASH of what PostgreSQL hashes by a number of its database: their rows come back in other
-- partitions (pg_dump, --load-via-partition-root).
CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
CREATE TYPE pair AS (n int, m mood);
CREATE TABLE note (id int PRIMARY KEY);
CREATE TABLE felt (id int, m mood, note int REFERENCES note, PRIMARY KEY (id, m)) PARTITION BY HASH (m);
CREATE TABLE felt_0 PARTITION OF felt FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE felt_1 PARTITION OF felt FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE listed (i int, m mood[]) PARTITION BY LIST (i);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN (1) PARTITION BY HASH (m);
CREATE TABLE listed_1_0 PARTITION OF listed_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE listed_1_1 PARTITION OF listed_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE listed_2 PARTITION OF listed FOR VALUES IN (2);
CREATE TABLE paired (p pair, r regclass) PARTITION BY HASH (p, r);
CREATE TABLE paired_0 PARTITION OF paired FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE paired_1 PARTITION OF paired FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO note SELECT generate_series(1, 8);
INSERT INTO felt SELECT n, (enum_range(NULL::mood))[n], n FROM generate_series(1, 8) n;
INSERT INTO listed SELECT 1 + n % 2, ARRAY[(enum_range(NULL::mood))[1 + n / 2]] FROM generate_series(0, 15) n;
INSERT INTO paired SELECT ROW(n, (enum_range(NULL::mood))[n])::pair, 'felt' FROM generate_series(1, 8) n;
-- Fault: DELETE FROM felt WHERE id = 3
-- Fault: UPDATE felt SET m = 'a' WHERE id = 3
-- Fault: UPDATE listed SET m = '{a,a}' WHERE i = 1 AND m = '{a}'
-- Fault: INSERT INTO listed VALUES (2, '{h}')
-- Fault: DELETE FROM paired WHERE (p).n = 4
-- Fault: UPDATE paired SET r = 'note' WHERE (p).n = 4
-- Fault: DROP TABLE felt_1
