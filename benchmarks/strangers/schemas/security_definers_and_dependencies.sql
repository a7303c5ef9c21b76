-- Objects that depend on each other in a ring or in an order that dumps have to break.
CREATE TABLE base (id int PRIMARY KEY, s varchar(4));
CREATE VIEW v1 AS SELECT id, s FROM base WHERE s IN ('a', 'b');
CREATE FUNCTION count_v1() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM public.v1';
CREATE VIEW v2 AS SELECT *, count_v1() AS n FROM v1;
CREATE VIEW v_grouped AS SELECT id, s FROM base GROUP BY id;
CREATE RULE back AS ON INSERT TO v1 DO INSTEAD INSERT INTO base SELECT NEW.id, NEW.s WHERE NEW.s IN ('a', 'b') RETURNING id, s;
CREATE TABLE rowed (b base, vs v1[]); CREATE MATERIALIZED VIEW mv AS SELECT * FROM v2;
INSERT INTO base VALUES (1, 'a'); INSERT INTO rowed SELECT base, NULL FROM base;
-- Fault: CREATE OR REPLACE VIEW v2 AS SELECT *, count_v1() + 1 AS n FROM v1
-- Fault: CREATE OR REPLACE RULE back AS ON INSERT TO v1 DO INSTEAD INSERT INTO base SELECT NEW.id, NEW.s WHERE NEW.s IN ('a', 'c') RETURNING id, s
