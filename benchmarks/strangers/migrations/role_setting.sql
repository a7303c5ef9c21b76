-- A setting of a role, wherever it connects.
-- Verdict: refused statement_forbidden
-- Names: ALTER ROLE
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER ROLE strangers_reader SET search_path = public, pg_temp;
--- rollback
ALTER ROLE strangers_reader RESET search_path;
