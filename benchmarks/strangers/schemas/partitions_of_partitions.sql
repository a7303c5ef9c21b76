-- Partitions of partitions, made by PARTITION OF, with a key, a unique index, a check and a default partition.
CREATE TABLE sale (region text NOT NULL, day date NOT NULL, n int CONSTRAINT positive CHECK (n > 0),
    PRIMARY KEY (region, day, n)) PARTITION BY LIST (region);
CREATE TABLE sale_north PARTITION OF sale FOR VALUES IN ('n', 'nn') PARTITION BY RANGE (day);
CREATE TABLE sale_north_2020 PARTITION OF sale_north FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE sale_north_2021 PARTITION OF sale_north (CONSTRAINT few CHECK (n < 100))
    FOR VALUES FROM ('2021-01-01') TO (MAXVALUE);
CREATE TABLE sale_other PARTITION OF sale DEFAULT;
CREATE INDEX sale_day ON sale (day) WHERE n > 3;
INSERT INTO sale VALUES ('n', '2020-05-05', 1), ('nn', '2021-05-05', 2), ('x', '2000-01-01', 3);
-- Fault: ALTER TABLE sale_north_2021 DROP CONSTRAINT few
-- Fault: ALTER TABLE sale DROP CONSTRAINT sale_pkey
-- Fault: ALTER TABLE sale_north DETACH PARTITION sale_north_2020
-- Fault: DROP INDEX sale_day
