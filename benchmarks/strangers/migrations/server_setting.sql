-- A script that changes the whole server.
-- Verdict: refused statement_forbidden
-- Names: ALTER SYSTEM
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER SYSTEM SET work_mem = '64MB';
--- rollback
ALTER SYSTEM RESET work_mem;
