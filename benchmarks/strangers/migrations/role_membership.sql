-- One role becomes a member of another, in all databases.
-- Verdict: refused statement_forbidden
-- Names: GRANT
-- Names: strangers_owner
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
GRANT strangers_owner TO strangers_reader;
--- rollback
REVOKE strangers_owner FROM strangers_reader;
