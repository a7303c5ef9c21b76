-- Files move from a column into large objects, of numbers that follow from their keys, and back.
-- Verdict: deployed
--- before
CREATE TABLE file (id int PRIMARY KEY, content bytea);
INSERT INTO file VALUES (1, '\x0102'), (2, '\xdeadbeef');
--- apply
ALTER TABLE file ADD COLUMN object oid;
UPDATE file SET object = lo_from_bytea(1000000 + id, content);
ALTER TABLE file DROP COLUMN content;
--- rollback
ALTER TABLE file ADD COLUMN content bytea;
UPDATE file SET content = lo_get(object);
SELECT lo_unlink(object) FROM file;
ALTER TABLE file DROP COLUMN object;
--- users
INSERT INTO file VALUES (3, lo_from_bytea(1000003, 'new'));
SELECT lo_put(1000001, 0, '\xff');
