-- Amounts as floating point become numeric, and back: 0.1 is 0.1 on both sides.
-- Verdict: deployed
--- before
CREATE TABLE amount (id int PRIMARY KEY, value double precision);
INSERT INTO amount VALUES (1, 0.1), (2, 1234.5), (3, NULL);
--- apply
ALTER TABLE amount ALTER COLUMN value TYPE numeric;
--- rollback
ALTER TABLE amount ALTER COLUMN value TYPE double precision;
--- users
INSERT INTO amount VALUES (4, 99.99);
