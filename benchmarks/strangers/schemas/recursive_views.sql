-- A recursive view, CTEs that write nothing, materialized or not, SEARCH and CYCLE.
CREATE TABLE part (id int PRIMARY KEY, inside int REFERENCES part, name varchar(10));
CREATE RECURSIVE VIEW down (id, depth) AS
    SELECT id, 1 FROM part WHERE inside IS NULL UNION ALL SELECT p.id, d.depth + 1 FROM part p JOIN down d ON p.inside = d.id;
CREATE VIEW ordered AS WITH RECURSIVE t(id, inside) AS (
    SELECT id, inside FROM part WHERE name IN ('a', 'b') UNION ALL SELECT p.id, p.inside FROM part p, t WHERE p.inside = t.id)
    SEARCH DEPTH FIRST BY id SET path CYCLE id SET looped USING way SELECT id, looped FROM t;
CREATE VIEW kept AS WITH a AS MATERIALIZED (SELECT 1 AS one), b AS NOT MATERIALIZED (SELECT 2 AS two) SELECT * FROM a, b;
INSERT INTO part VALUES (1, NULL, 'a'), (2, 1, 'b');
-- Fault: CREATE OR REPLACE VIEW kept AS WITH a AS (SELECT 1 AS one), b AS NOT MATERIALIZED (SELECT 2 AS two) SELECT * FROM a, b
-- Fault: DROP VIEW down
