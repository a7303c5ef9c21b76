-- A foreign table of another PostgreSQL, imported options and all.
-- Needs: extension postgres_fdw
CREATE EXTENSION postgres_fdw;
CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', fetch_size '50');
CREATE USER MAPPING FOR CURRENT_USER SERVER away OPTIONS (user 'u', password 'p');
CREATE FOREIGN TABLE remote (id int OPTIONS (column_name 'ID') NOT NULL, t varchar(9) COLLATE "C") SERVER away OPTIONS (schema_name 's', table_name 't', updatable 'false');
CREATE VIEW nearer AS SELECT * FROM remote WHERE t IN ('a', 'b');
-- Fault: ALTER FOREIGN TABLE remote OPTIONS (SET updatable 'true')
-- Fault: ALTER FOREIGN TABLE remote ALTER id OPTIONS (SET column_name 'Id')
-- Fault: CREATE OR REPLACE VIEW nearer AS SELECT * FROM remote WHERE t IN ('a', 'c')
