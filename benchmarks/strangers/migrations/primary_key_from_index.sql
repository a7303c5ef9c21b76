-- A table gets its primary key from an index that was built concurrently.
-- Verdict: deployed
--- before
CREATE TABLE measurement (sensor int NOT NULL, at timestamptz NOT NULL, value float8);
INSERT INTO measurement SELECT n % 5, '2026-01-01'::timestamptz + n * interval '1 min', n FROM generate_series(1, 50) AS n;
--- apply
CREATE UNIQUE INDEX CONCURRENTLY measurement_key ON measurement (sensor, at);
ALTER TABLE measurement ADD CONSTRAINT measurement_pkey PRIMARY KEY USING INDEX measurement_key;
--- rollback
ALTER TABLE measurement DROP CONSTRAINT measurement_pkey;
--- users
INSERT INTO measurement VALUES (9, '2026-02-01', 1.5);
