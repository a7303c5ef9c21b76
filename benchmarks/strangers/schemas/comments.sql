-- Comments on everything.
CREATE SCHEMA told; CREATE TABLE told.t (id int CONSTRAINT pos CHECK (id > 0) PRIMARY KEY, s varchar(3)); CREATE INDEX t_s ON told.t (s);
CREATE VIEW told.v AS SELECT * FROM told.t; CREATE MATERIALIZED VIEW told.m AS SELECT 1 AS one; CREATE TYPE told.e AS ENUM ('a'); CREATE DOMAIN told.d AS int;
CREATE RULE r AS ON DELETE TO told.t DO ALSO NOTHING; CREATE POLICY p ON told.t; CREATE STATISTICS told.st ON id, s FROM told.t;
COMMENT ON SCHEMA told IS 'it''s "told"'; COMMENT ON TABLE told.t IS E'two\nlines'; COMMENT ON COLUMN told.t.s IS 'ж'; COMMENT ON CONSTRAINT pos ON told.t IS 'c';
COMMENT ON INDEX told.t_s IS 'i'; COMMENT ON VIEW told.v IS 'v'; COMMENT ON COLUMN told.v.s IS 'vs'; COMMENT ON MATERIALIZED VIEW told.m IS 'm'; COMMENT ON TYPE told.e IS 'e';
COMMENT ON DOMAIN told.d IS 'd'; COMMENT ON RULE r ON told.t IS 'r'; COMMENT ON POLICY p ON told.t IS 'p'; COMMENT ON STATISTICS told.st IS 'st'; COMMENT ON COLUMN told.m.one IS '1';
COMMENT ON EXTENSION plpgsql IS 'another word';
INSERT INTO told.t VALUES (1, 'a');
-- Fault: COMMENT ON COLUMN told.v.s IS NULL
-- Fault: COMMENT ON TABLE told.t IS 'two lines'
-- Fault: COMMENT ON RULE r ON told.t IS 'R'
-- Fault: COMMENT ON POLICY p ON told.t IS NULL
-- Fault: COMMENT ON SCHEMA told IS NULL
