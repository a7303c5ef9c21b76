-- An event trigger that notes what DDL is done.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
CREATE FUNCTION say_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE DEBUG 'ddl: %', tg_tag; END $$;
CREATE EVENT TRIGGER ddl_said ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION say_ddl();
--- rollback
DROP EVENT TRIGGER ddl_said;
DROP FUNCTION say_ddl();
--- users
INSERT INTO note VALUES (2);
