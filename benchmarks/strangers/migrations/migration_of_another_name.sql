-- A number that there is not.
-- Verdict: refused migration_unknown
-- Names: 012
-- Names: 002
-- Migration: 012
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN a int;
--- rollback
ALTER TABLE note DROP COLUMN a;
