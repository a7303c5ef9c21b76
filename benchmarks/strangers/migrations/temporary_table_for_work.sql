-- Rows are deduplicated by means of a temporary table; what went is kept, so that the way back has it.
-- Verdict: deployed
--- before
CREATE TABLE reading (id int PRIMARY KEY, sensor text, value int);
INSERT INTO reading VALUES (1, 'a', 5), (2, 'a', 5), (3, 'b', 5);
--- apply
CREATE TEMPORARY TABLE keep ON COMMIT DROP AS SELECT min(id) AS id FROM reading GROUP BY sensor, value;
CREATE TABLE reading_duplicate AS SELECT * FROM reading WHERE id NOT IN (SELECT id FROM keep);
DELETE FROM reading WHERE id NOT IN (SELECT id FROM keep);
CREATE UNIQUE INDEX reading_once ON reading (sensor, value);
--- rollback
DROP INDEX reading_once;
INSERT INTO reading SELECT * FROM reading_duplicate;
DROP TABLE reading_duplicate;
--- users
INSERT INTO reading VALUES (4, 'c', 1);
