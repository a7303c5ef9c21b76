-- A table, its sequence and a function go to another owner.
-- Verdict: deployed
--- before
CREATE TABLE note (id serial PRIMARY KEY, body text);
CREATE FUNCTION note_count() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM note';
INSERT INTO note (body) VALUES ('x');
GRANT CREATE ON SCHEMA public TO strangers_owner;
--- apply
ALTER TABLE note OWNER TO strangers_owner;
ALTER FUNCTION note_count() OWNER TO strangers_owner;
--- rollback
ALTER FUNCTION note_count() OWNER TO CURRENT_USER;
ALTER TABLE note OWNER TO CURRENT_USER;
--- users
INSERT INTO note (body) VALUES ('y');
