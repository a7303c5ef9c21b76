-- A lock of the application's own and settings of a transaction, as frameworks add them.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
SELECT pg_advisory_xact_lock(4711);
SET LOCAL synchronous_commit = off;
SET LOCAL statement_timeout = '30s';
SET LOCAL idle_in_transaction_session_timeout = 0;
ALTER TABLE note ADD COLUMN body text;
--- rollback
SELECT pg_advisory_xact_lock(4711);
ALTER TABLE note DROP COLUMN body;
--- users
UPDATE note SET body = 'x';
