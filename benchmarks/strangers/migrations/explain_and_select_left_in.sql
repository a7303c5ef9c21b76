-- Statements that somebody has left in from trying: SELECT, EXPLAIN, SHOW.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x');
--- apply
SELECT * FROM note;
EXPLAIN ANALYZE UPDATE note SET body = body;
SHOW search_path;
CREATE INDEX note_body ON note (body);
--- rollback
DROP INDEX note_body;
--- users
INSERT INTO note VALUES (2, 'y');
