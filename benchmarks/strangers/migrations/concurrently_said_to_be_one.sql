-- The header says that it is one transaction, and it cannot be.
-- Verdict: refused statement_not_resumable
-- Names: Transaction: one
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
-- Transaction: one
CREATE INDEX CONCURRENTLY note_body ON note (body);
--- rollback
DROP INDEX CONCURRENTLY note_body;
