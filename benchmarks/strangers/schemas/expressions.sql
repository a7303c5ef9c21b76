-- Expressions of every kind, in views and checks: what is written must be read again as the same.
CREATE TABLE e (a int, b varchar(9), c char(3), d date, t timestamptz, n numeric, j jsonb, x text[], arr int[], s name, iv interval, o oid, bo boolean);
ALTER TABLE e ADD CHECK (b SIMILAR TO '(a|b)%' ESCAPE '!' OR b ~* 'x' OR b LIKE 'a!%' ESCAPE '!' OR b ILIKE ANY (ARRAY['x%', 'y%'])),
    ADD CHECK ((a, n) > (1, 2.0) AND a BETWEEN SYMMETRIC 5 AND 1), ADD CHECK (d + interval '1 month' > t AT TIME ZONE 'Europe/Berlin'),
    ADD CHECK (coalesce(b, c, 'z') IN ('a', 'b') AND nullif(b, 'q') IS NOT NULL AND greatest(b, 'm') <> least('n', c)),
    ADD CHECK (j ? 'a' OR j @> '{"b": 1}' OR (j ->> 'c')::int IN (1, 2) OR j #> '{a,b}' IS NULL), ADD CHECK (x && ARRAY['p', b::text] AND arr[1:2] = ARRAY[1, 2] AND cardinality(x) IN (1, 2)),
    ADD CHECK (extract(year FROM t) > 2000 AND overlay(b PLACING 'x' FROM 1 FOR 2) <> 'y' AND position('a' IN b) > 0 AND trim(BOTH 'x' FROM b) <> '' AND substring(b FROM '#"a#"%' FOR '#') IS NULL),
    ADD CHECK (bo IS NOT UNKNOWN AND (bo IS TRUE) IS DISTINCT FROM NULL), ADD CHECK (a = -1 OR n = -1.50 OR a::bigint = 5000000000 OR n = 1e5 OR a & 3 = 1 OR @ a > 1 OR o = 5::oid),
    ADD CHECK (s IN ('n', 'm') AND iv IN ('1 day', '2 hours') AND d IN ('2020-01-01', '2021-01-01') AND c IN ('aa', 'bb')), ADD CHECK (b::varchar(3) IN ('abc', 'abd') AND b::char(2) = 'ab' AND b::text COLLATE "C" < 'z');
CREATE VIEW all_of AS SELECT array_agg(b ORDER BY a DESC NULLS LAST) FILTER (WHERE b IN ('a', 'b')) AS l, string_agg(DISTINCT b, ',') AS g, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) AS p,
    count(*) FILTER (WHERE c IN ('a', 'b')) AS c, CASE b WHEN 'x' THEN 1 ELSE 3 END AS k, ROW(a, b) IS NULL AS w, GROUPING(a) FROM e GROUP BY ROLLUP (a, b) HAVING count(*) > 1 ORDER BY 1 LIMIT 5;
CREATE VIEW more AS SELECT DISTINCT ON (b) b, l.*, f.ordinality FROM e LEFT JOIN LATERAL (SELECT n + 1 AS m FROM generate_series(1, a)) AS l ON true
    CROSS JOIN unnest(x) WITH ORDINALITY AS f(word) WHERE (a, b) IN (SELECT a, b FROM e WHERE b NOT IN ('k', 'l')) AND n <> ALL (ARRAY[1, 2]) ORDER BY b, n USING <;
CREATE VIEW sets AS (SELECT b FROM e UNION SELECT c FROM e) EXCEPT ALL SELECT 'x' INTERSECT SELECT b::text FROM e WHERE b IN ('a', 'b') ;
CREATE VIEW sampled AS SELECT a FROM e TABLESAMPLE bernoulli (10) REPEATABLE (1) WHERE t > CURRENT_TIMESTAMP(3) AND d < LOCALTIMESTAMP FOR UPDATE;
-- Fault: CREATE OR REPLACE VIEW sampled AS SELECT a FROM e TABLESAMPLE bernoulli (11) REPEATABLE (1) WHERE t > CURRENT_TIMESTAMP(3) AND d < LOCALTIMESTAMP FOR UPDATE
