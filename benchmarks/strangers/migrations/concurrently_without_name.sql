-- An index without a name, of which nobody could say after a kill whether it is there.
-- Verdict: refused statement_not_resumable
-- Names: line 1
-- Names: gives the index no name
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
CREATE INDEX CONCURRENTLY ON note (body);
--- rollback
DROP INDEX CONCURRENTLY note_body_idx;
