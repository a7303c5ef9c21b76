-- A table without a key gets one, and each row a number.
-- Verdict: deployed
--- before
CREATE TABLE reading (at timestamptz NOT NULL, value int);
INSERT INTO reading SELECT '2026-01-01'::timestamptz + n * interval '1 h', n FROM generate_series(1, 20) AS n;
--- apply
ALTER TABLE reading ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
--- rollback
ALTER TABLE reading DROP COLUMN id;
--- users
INSERT INTO reading VALUES ('2026-02-01', 99);
UPDATE reading SET value = -1 WHERE value = 3;
