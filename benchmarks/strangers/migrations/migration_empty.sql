-- A script of comments.
-- Verdict: refused migration_empty
-- Names: migrations/002_migration_empty.sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
-- TODO
--- rollback
SELECT 1;
