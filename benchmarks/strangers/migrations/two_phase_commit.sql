-- A script that prepares its transaction for somebody else.
-- Verdict: refused statement_forbidden
-- Names: PREPARE TRANSACTION
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
BEGIN;
ALTER TABLE note ADD COLUMN body text;
PREPARE TRANSACTION 'deploy';
--- rollback
ALTER TABLE note DROP COLUMN body;
