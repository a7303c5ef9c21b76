-- Two migrations that each want to come after the other.
-- Verdict: refused requirements_circular
-- Names: 002
-- Names: 003
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- migrations/002_a.sql
-- Requires: 003
ALTER TABLE note ADD COLUMN a int;
--- rollback/002_a_rollback.sql
ALTER TABLE note DROP COLUMN a;
--- migrations/003_b.sql
-- Requires: 002
ALTER TABLE note ADD COLUMN b int;
--- rollback/003_b_rollback.sql
ALTER TABLE note DROP COLUMN b;
