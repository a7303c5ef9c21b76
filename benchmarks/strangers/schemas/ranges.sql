-- Ranges with subtype functions, canonical and multirange names, and columns of them.
CREATE FUNCTION minutes(time, time) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT EXTRACT(EPOCH FROM ($1 - $2)) / 60';
CREATE TYPE timerange AS RANGE (subtype = time, subtype_diff = minutes, multirange_type_name = times);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TABLE opening (id int, hours timerange, all_hours times, names textrange, days daterange DEFAULT '[2020-01-01,2020-02-01)',
    CHECK (days && daterange('2000-01-01', '2100-01-01')));
CREATE INDEX opening_hours ON opening USING gist (hours);
INSERT INTO opening VALUES (1, '[08:00,12:00)', '{[08:00,12:00),[13:00,15:00)}', '[a,b]');
-- Fault: ALTER TABLE opening ALTER days SET DEFAULT '[2020-01-01,2020-02-02)'
-- Fault: DROP INDEX opening_hours
