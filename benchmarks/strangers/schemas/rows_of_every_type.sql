-- Values whose text depends on settings, and none of whose text may change on the way.
CREATE TABLE v (id int PRIMARY KEY, f float8, r real, n numeric, t timestamptz, i interval, b bytea, m money, j json, u uuid, p point, a text[], c "char", d date);
INSERT INTO v VALUES (1, 0.1::float8 + 0.2, 1e-30, 'NaN', '2020-01-01 12:00+05', '1 mon -1 day', '\\x0001', 5.5, '{"a":  1}', gen_random_uuid(), '(1,2)', '{NULL,"NULL",""}', 'x', 'infinity'),
    (2, 'Infinity', '-0', 1e100, '-infinity', '-1 year', '', -1, 'null', NULL, NULL, '{}', '', '0001-01-01 BC');
-- Fault: UPDATE v SET f = 0.3 WHERE id = 1
-- Fault: UPDATE v SET a[2] = NULL WHERE id = 1
-- Fault: UPDATE v SET j = '{"a": 1}' WHERE id = 1
