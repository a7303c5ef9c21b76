-- A partition key of expressions and a collation, with an index on an expression.
CREATE TABLE reading (name varchar(20), taken timestamp, value numeric)
    PARTITION BY RANGE (lower(name) COLLATE "C", (value * 2));
CREATE TABLE reading_a PARTITION OF reading FOR VALUES FROM ('a', MINVALUE) TO ('m', 5.5);
CREATE TABLE reading_m PARTITION OF reading FOR VALUES FROM ('m', 5.5) TO (MAXVALUE, MAXVALUE);
INSERT INTO reading VALUES ('b', '2020-01-01', 1), ('z', '2020-01-01', 1);
-- Fault: ALTER TABLE reading ADD CHECK (value > 0)
