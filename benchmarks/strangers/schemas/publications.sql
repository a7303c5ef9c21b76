-- Publications: of all tables, of schemas, with row filters and column lists, of a partition root.
CREATE SCHEMA pub; CREATE TABLE pub.one (id int PRIMARY KEY, state text, x int); CREATE TABLE two (id int PRIMARY KEY, s varchar(3)) PARTITION BY LIST (id);
CREATE TABLE two_1 PARTITION OF two FOR VALUES IN (1);
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION chosen FOR TABLE pub.one (id, state) WHERE (id IN (1, 2) AND id > 0), ONLY two WITH (publish_via_partition_root);
CREATE PUBLICATION of_words FOR TABLE pub.one WHERE (state IN ('a', 'b')) WITH (publish = 'insert');
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA pub; CREATE PUBLICATION none;
COMMENT ON PUBLICATION none IS 'nothing'; ALTER PUBLICATION none OWNER TO strangers_owner;
INSERT INTO pub.one VALUES (1, 'a', 1);
-- Fault: ALTER PUBLICATION of_words SET TABLE pub.one WHERE (state IN ('a', 'c'))
-- Fault: ALTER PUBLICATION chosen SET TABLE pub.one (id, x) WHERE (id IN (1, 2) AND id > 0), ONLY two
-- Fault: ALTER PUBLICATION everything SET (publish = 'insert')
-- Fault: ALTER PUBLICATION of_schema DROP TABLES IN SCHEMA pub
