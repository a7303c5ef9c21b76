-- An extension that the server does not have.
-- Verdict: refused statement_failed
-- Names: "no_such_extension" is not available
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE EXTENSION IF NOT EXISTS no_such_extension;
--- rollback
DROP EXTENSION no_such_extension;
