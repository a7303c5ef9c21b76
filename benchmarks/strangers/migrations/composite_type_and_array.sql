-- A composite type, and a column of an array of it.
-- Verdict: deployed
--- before
CREATE TABLE route (id int PRIMARY KEY, name text);
INSERT INTO route VALUES (1, 'A');
--- apply
CREATE TYPE stop AS (name text, minute smallint);
ALTER TABLE route ADD COLUMN stops stop[] NOT NULL DEFAULT '{}';
--- rollback
ALTER TABLE route DROP COLUMN stops;
DROP TYPE stop;
--- users
UPDATE route SET stops = ARRAY[ROW('first', 0), ROW('last, "quoted"', 12)]::stop[];
