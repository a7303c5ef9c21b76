-- A serial column, with the sequence that comes with it.
-- Verdict: deployed
--- before
CREATE TABLE reading (at timestamptz NOT NULL PRIMARY KEY, value int);
INSERT INTO reading VALUES ('2026-01-01', 1), ('2026-01-02', 2);
--- apply
ALTER TABLE reading ADD COLUMN number serial;
--- rollback
ALTER TABLE reading DROP COLUMN number;
--- users
INSERT INTO reading VALUES ('2026-01-03', 3), ('2026-01-04', 4);
