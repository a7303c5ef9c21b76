-- A setting of a database by its name: the rehearsal on the copy would change it in production.
-- Verdict: refused statement_forbidden
-- Names: ALTER DATABASE
-- Names: postgres
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER DATABASE postgres SET work_mem = '8MB';
--- rollback
ALTER DATABASE postgres RESET work_mem;
