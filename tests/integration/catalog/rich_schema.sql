-- One of every kind of object that a schema can hold; the cases change them one at a time.
CREATE EXTENSION pg_trgm;
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA app;
CREATE SCHEMA runbook;
CREATE TABLE runbook.receipts (id int PRIMARY KEY);

CREATE TYPE app.mood AS ENUM ('calm', 'tense');
CREATE TYPE app.point AS (x int, y int);
CREATE TYPE app.row AS (id int, kept text);
CREATE TYPE app.period AS RANGE (subtype = timestamptz);
CREATE DOMAIN app.percent AS int DEFAULT 0 CONSTRAINT within CHECK (VALUE BETWEEN 0 AND 100);

CREATE TABLE app.parents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL DEFAULT 'x',
    share app.percent,
    note varchar(20),
    data jsonb,
    born timestamptz DEFAULT '2020-01-01 00:00:00+00',
    CONSTRAINT name_filled CHECK (name <> ''),
    CONSTRAINT name_once UNIQUE (name)
);
CREATE TABLE app.children (
    id serial PRIMARY KEY,
    parent_id bigint CONSTRAINT of_parent REFERENCES app.parents ON DELETE CASCADE,
    twice int GENERATED ALWAYS AS (7 * 6) STORED,
    during app.period,
    EXCLUDE USING gist (during WITH &&)
);
CREATE INDEX children_parent ON app.children (parent_id);
CREATE INDEX parents_expression ON app.parents ((lower(name)));
CREATE INDEX parents_trigram ON app.parents USING gin (name gin_trgm_ops) WHERE id > 0;
CREATE STATISTICS app.parents_related (ndistinct, dependencies) ON name, note FROM app.parents;

CREATE TABLE app."Mixed ""Case"" ж" (id int, "Ü.ö" text);
CREATE TABLE app.base (id int, kept text);
CREATE TABLE app.typed (id int, kept text);
CREATE TABLE app.heir (own int) INHERITS (app.base);
CREATE TABLE app.measured (at date NOT NULL, value int) PARTITION BY RANGE (at);
CREATE TABLE app.measured_2020 PARTITION OF app.measured FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE app.measured_2021 PARTITION OF app.measured FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE INDEX measured_at ON app.measured (at);
CREATE UNLOGGED TABLE app.cache (id int);
CREATE SEQUENCE app.numbers;

CREATE VIEW app.names AS SELECT id, name FROM app.parents;
CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) AS n FROM app.parents;

CREATE FUNCTION app.double(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app.listen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE app.work() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE app.total (int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE FUNCTION app.near(int, int) RETURNS bool LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OPERATOR app.~~~ (leftarg = int, rightarg = int, function = app.near);
CREATE OPERATOR FAMILY app.fam USING btree;
CREATE OPERATOR CLASS app.ops FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int);
CREATE TRIGGER touched BEFORE UPDATE ON app.parents FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER measured_touched AFTER INSERT ON app.measured FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON app.children DEFERRABLE
    FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE EVENT TRIGGER listening ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION app.listen();
CREATE RULE silent AS ON DELETE TO app.cache DO INSTEAD NOTHING;
CREATE POLICY mine ON app.parents USING (name = current_user);

CREATE COLLATION app.plain (provider = libc, locale = 'C');
CREATE TEXT SEARCH DICTIONARY app.words (template = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION app.search (copy = pg_catalog.simple);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', port '1');
CREATE USER MAPPING FOR PUBLIC SERVER remote OPTIONS (user 'u', password 'secret');
CREATE FOREIGN TABLE app.far (id int) SERVER remote OPTIONS (table_name 'near');
CREATE PUBLICATION news FOR TABLE app.parents (id, name) WHERE (id > 0);
CREATE CONVERSION app.conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE ACCESS METHOD another TYPE TABLE HANDLER heap_tableam_handler;
CREATE CAST (app.mood AS bigint) WITH INOUT;
