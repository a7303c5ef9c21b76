-- A script that makes a database.
-- Verdict: refused statement_not_resumable
-- Names: CREATE DATABASE
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE DATABASE reporting;
--- rollback
DROP DATABASE reporting;
