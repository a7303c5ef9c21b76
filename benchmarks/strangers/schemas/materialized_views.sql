-- Materialized views: filled, empty, one on the other, with indexes.
CREATE TABLE visit (id int, place varchar(10), at date);
CREATE MATERIALIZED VIEW places AS SELECT place, count(*) AS n FROM visit WHERE place IN ('x', 'y') GROUP BY place;
CREATE UNIQUE INDEX places_place ON places (place) WHERE place IN ('x', 'y');
CREATE MATERIALIZED VIEW busiest WITH (fillfactor = 60) AS SELECT max(n) AS n FROM places WITH NO DATA;
ALTER MATERIALIZED VIEW places ALTER COLUMN n SET STATISTICS 50;
INSERT INTO visit VALUES (1, 'x', '2020-01-01'); REFRESH MATERIALIZED VIEW places;
-- Fault: DROP INDEX places_place
-- Fault: DROP MATERIALIZED VIEW busiest; CREATE MATERIALIZED VIEW busiest WITH (fillfactor = 60) AS SELECT min(n) AS n FROM places WITH NO DATA
-- Fault: ALTER MATERIALIZED VIEW places ALTER COLUMN n SET STATISTICS 51
