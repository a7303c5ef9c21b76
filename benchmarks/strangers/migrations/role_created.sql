-- Roles are the whole server's: on the copy's server, production's own, the rehearsal would make it for good.
-- Verdict: refused statement_forbidden
-- Names: CREATE ROLE
-- Names: 002_role_created.sql
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE ROLE strangers_reporting NOLOGIN;
GRANT SELECT ON note TO strangers_reporting;
--- rollback
REVOKE SELECT ON note FROM strangers_reporting;
DROP ROLE strangers_reporting;
