-- Indexes of every method, with operator classes and their parameters, collations and statistics targets.
CREATE TABLE many (id int, t text, v tsvector, p point, j jsonb, r int4range, a int[], ip inet);
CREATE INDEX many_hash ON many USING hash (t);
CREATE INDEX many_gin ON many USING gin (j jsonb_path_ops, v) WITH (fastupdate = off, gin_pending_list_limit = 128);
CREATE INDEX many_gist ON many USING gist (r, v tsvector_ops (siglen = 100));
CREATE INDEX many_spgist ON many USING spgist (p quad_point_ops);
CREATE INDEX many_brin ON many USING brin (id int4_minmax_multi_ops (values_per_range = 16), ip inet_inclusion_ops) WITH (pages_per_range = 4, autosummarize);
CREATE INDEX many_order ON many (t COLLATE "C" DESC NULLS FIRST, id ASC) INCLUDE (a) WITH (deduplicate_items = off);
CREATE INDEX many_expr ON many ((a[1] + id), (j ->> 'x')) WHERE (j ->> 'kind') IN ('a', 'b');
ALTER INDEX many_expr ALTER COLUMN 1 SET STATISTICS 500;
INSERT INTO many VALUES (1, 'a', 'x:1', '(1,1)', '{"x": 1}', '[1,2)', '{1}', '10.0.0.1');
-- Fault: ALTER INDEX many_expr ALTER COLUMN 1 SET STATISTICS 400
-- Fault: DROP INDEX many_order; CREATE INDEX many_order ON many (t DESC NULLS FIRST, id ASC) INCLUDE (a) WITH (deduplicate_items = off)
-- Fault: DROP INDEX many_gin; CREATE INDEX many_gin ON many USING gin (j, v) WITH (fastupdate = off, gin_pending_list_limit = 128)
-- Fault: ALTER INDEX many_brin RESET (autosummarize)
