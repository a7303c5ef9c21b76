-- A script that takes in others.
-- Verdict: refused script_not_plain_sql
-- Names: \ir
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
BEGIN;
\ir tables/label.sql
COMMIT;
--- rollback
DROP TABLE label;
