-- A unique index is built concurrently over rows that are not unique.
-- Verdict: refused statement_failed
-- Names: note_body
-- Names: (body)=(x)
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x'), (2, 'x');
--- apply
CREATE UNIQUE INDEX CONCURRENTLY note_body ON note (body);
--- rollback
DROP INDEX CONCURRENTLY note_body;
