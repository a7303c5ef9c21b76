-- A script that makes its objects as their owner, and leaves the role set.
-- Verdict: deployed
--- before
CREATE SCHEMA app AUTHORIZATION strangers_owner;
--- apply
SET ROLE strangers_owner;
CREATE TABLE app.note (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
--- rollback
SET ROLE strangers_owner;
DROP TABLE app.note;
--- users
INSERT INTO app.note (body) VALUES ('x');
