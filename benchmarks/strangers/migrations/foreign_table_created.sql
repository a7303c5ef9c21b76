-- A foreign server, a user mapping and a table from another database.
-- Verdict: deployed
-- Needs: extension postgres_fdw
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
CREATE EXTENSION postgres_fdw;
CREATE SERVER archive FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'archive.invalid', dbname 'archive');
CREATE USER MAPPING FOR strangers_reader SERVER archive OPTIONS (user 'reader');
CREATE FOREIGN TABLE old_note (id int) SERVER archive OPTIONS (table_name 'note');
--- rollback
DROP FOREIGN TABLE old_note;
DROP USER MAPPING FOR strangers_reader SERVER archive;
DROP SERVER archive;
DROP EXTENSION postgres_fdw;
--- users
INSERT INTO note VALUES (2);
