-- Two people have taken the same number.
-- Verdict: refused migration_ambiguous
-- Names: 002_a
-- Names: 002_b
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- migrations/002_a.sql
ALTER TABLE note ADD COLUMN a int;
--- rollback/002_a_rollback.sql
ALTER TABLE note DROP COLUMN a;
--- migrations/002_b.sql
ALTER TABLE note ADD COLUMN b int;
--- rollback/002_b_rollback.sql
ALTER TABLE note DROP COLUMN b;
