-- An index that a build outside of the runbook left invalid: IF NOT EXISTS passes over it, and no copy of it is invalid.
-- Verdict: unchanged invalid_index_in_the_way
-- Names: note_body
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x'), (2, 'y');
CREATE INDEX note_body ON note (body);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'note_body'::regclass;
--- apply
CREATE INDEX CONCURRENTLY IF NOT EXISTS note_body ON note (body);
--- rollback
DROP INDEX CONCURRENTLY IF EXISTS note_body;
