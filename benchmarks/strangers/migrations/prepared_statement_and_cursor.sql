-- PREPARE, EXECUTE, a cursor and a function in pg_temp, all of which end with the session.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x'), (2, 'y');
--- apply
ALTER TABLE note ADD COLUMN length int;
PREPARE fill (int) AS UPDATE note SET length = length(body) WHERE id = $1;
EXECUTE fill (1);
EXECUTE fill (2);
DEALLOCATE fill;
CREATE FUNCTION pg_temp.twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
UPDATE note SET length = pg_temp.twice(length);
--- rollback
ALTER TABLE note DROP COLUMN length;
--- users
INSERT INTO note VALUES (3, 'z', 2);
