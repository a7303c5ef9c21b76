-- A column changes its type below three storeys of views, which all have to go and come back.
-- Verdict: deployed
--- before
CREATE TABLE reading (id int PRIMARY KEY, value real);
CREATE VIEW reading_known AS SELECT * FROM reading WHERE value IS NOT NULL;
CREATE VIEW reading_by_ten AS SELECT id / 10 AS bucket, avg(value) AS value FROM reading_known GROUP BY 1;
CREATE VIEW reading_report WITH (security_barrier) AS SELECT bucket FROM reading_by_ten WHERE value > 1;
INSERT INTO reading VALUES (1, 1.5), (11, 2.5);
--- apply
DROP VIEW reading_report, reading_by_ten, reading_known;
ALTER TABLE reading ALTER COLUMN value TYPE double precision;
CREATE VIEW reading_known AS SELECT * FROM reading WHERE value IS NOT NULL;
CREATE VIEW reading_by_ten AS SELECT id / 10 AS bucket, avg(value) AS value FROM reading_known GROUP BY 1;
CREATE VIEW reading_report WITH (security_barrier) AS SELECT bucket FROM reading_by_ten WHERE value > 1;
--- rollback
DROP VIEW reading_report, reading_by_ten, reading_known;
ALTER TABLE reading ALTER COLUMN value TYPE real;
CREATE VIEW reading_known AS SELECT * FROM reading WHERE value IS NOT NULL;
CREATE VIEW reading_by_ten AS SELECT id / 10 AS bucket, avg(value) AS value FROM reading_known GROUP BY 1;
CREATE VIEW reading_report WITH (security_barrier) AS SELECT bucket FROM reading_by_ten WHERE value > 1;
--- users
INSERT INTO reading VALUES (12, 0.5);
