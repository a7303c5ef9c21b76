-- A view that looks with the rights of who asks it.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, owner name DEFAULT current_user);
CREATE VIEW notes AS SELECT * FROM note;
GRANT SELECT ON notes TO strangers_reader;
INSERT INTO note VALUES (1);
--- apply
ALTER VIEW notes SET (security_invoker = true);
GRANT SELECT ON note TO strangers_reader;
--- rollback
REVOKE SELECT ON note FROM strangers_reader;
ALTER VIEW notes RESET (security_invoker);
--- users
INSERT INTO note VALUES (2);
