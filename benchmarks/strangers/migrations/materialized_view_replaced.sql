-- A materialized view with another definition and its unique index; the way back has both as they were.
-- Verdict: deployed
--- before
CREATE TABLE sale (id int PRIMARY KEY, region text, amount int);
INSERT INTO sale VALUES (1, 'north', 5), (2, 'south', 6), (3, 'north', 7);
CREATE MATERIALIZED VIEW turnover AS SELECT region, sum(amount) AS amount FROM sale GROUP BY region;
CREATE UNIQUE INDEX turnover_region ON turnover (region);
--- apply
DROP MATERIALIZED VIEW turnover;
CREATE MATERIALIZED VIEW turnover AS SELECT region, sum(amount) AS amount, count(*) AS sales FROM sale GROUP BY region;
CREATE UNIQUE INDEX turnover_region ON turnover (region);
--- rollback
DROP MATERIALIZED VIEW turnover;
CREATE MATERIALIZED VIEW turnover AS SELECT region, sum(amount) AS amount FROM sale GROUP BY region;
CREATE UNIQUE INDEX turnover_region ON turnover (region);
--- users
INSERT INTO sale VALUES (4, 'west', 1);
REFRESH MATERIALIZED VIEW CONCURRENTLY turnover;
