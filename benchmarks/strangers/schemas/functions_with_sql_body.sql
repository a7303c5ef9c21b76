-- Functions and procedures whose bodies are parsed (BEGIN ATOMIC), with lists, and views that call them.
CREATE TABLE thing (id int PRIMARY KEY, state varchar(10));
CREATE FUNCTION active(s varchar) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN s IN ('on', 'up');
CREATE FUNCTION counted(s varchar DEFAULT 'on') RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM thing t WHERE t.state IN (s, 'x') AND t.state IN ('on', 'up'); END;
CREATE PROCEDURE clear() LANGUAGE sql BEGIN ATOMIC DELETE FROM thing WHERE state IN ('off', 'down'); INSERT INTO thing VALUES (0, 'on'); END;
CREATE VIEW now_active AS SELECT id FROM thing WHERE active(state) AND counted() > 0;
ALTER TABLE thing ADD CHECK (active(state) OR id > 0);
INSERT INTO thing VALUES (1, 'on');
-- Fault: CREATE OR REPLACE FUNCTION active(s varchar) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN s IN ('on', 'Up')
-- Fault: CREATE OR REPLACE PROCEDURE clear() LANGUAGE sql BEGIN ATOMIC DELETE FROM thing WHERE state IN ('off', 'down'); INSERT INTO thing VALUES (1, 'on'); END
-- Fault: CREATE OR REPLACE FUNCTION counted(s varchar DEFAULT 'on') RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM thing t WHERE t.state IN (s, 'y') AND t.state IN ('on', 'up'); END
