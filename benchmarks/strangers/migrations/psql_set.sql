-- psql's variable that stops at errors, at the top of many scripts.
-- Verdict: refused script_not_plain_sql
-- Names: \set
-- Names: 002_psql_set.sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
\set ON_ERROR_STOP on
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
