-- Foreign data wrappers, servers, user mappings and foreign tables, also as partitions, with checks.
-- Needs: extension file_fdw
CREATE EXTENSION file_fdw; CREATE FOREIGN DATA WRAPPER nothing OPTIONS (debug 'true');
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE SERVER other TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER nothing OPTIONS (host 'h');
CREATE USER MAPPING FOR PUBLIC SERVER other OPTIONS (password 'secret');
CREATE USER MAPPING FOR strangers_reader SERVER other OPTIONS (u 'v');
CREATE FOREIGN TABLE lines (line text OPTIONS (force_not_null 'true') NOT NULL, kind varchar(5) DEFAULT 'a' CHECK (kind IN ('a', 'b'))) SERVER files OPTIONS (filename '/dev/null', format 'csv');
CREATE TABLE parts (id int, s varchar(5)) PARTITION BY LIST (s);
CREATE FOREIGN TABLE far PARTITION OF parts FOR VALUES IN ('f', 'g') SERVER other OPTIONS (table_name 't');
GRANT USAGE ON FOREIGN SERVER other TO strangers_reader; GRANT USAGE ON FOREIGN DATA WRAPPER nothing TO strangers_reader;
ALTER FOREIGN TABLE lines ADD CONSTRAINT unchecked CHECK (line <> 'x') NOT VALID;
-- Fault: ALTER FOREIGN TABLE lines OPTIONS (SET format 'text')
-- Fault: ALTER SERVER other OPTIONS (SET host 'i')
-- Fault: ALTER USER MAPPING FOR PUBLIC SERVER other OPTIONS (SET password 'guessed')
-- Fault: ALTER FOREIGN TABLE lines ALTER line OPTIONS (DROP force_not_null)
-- Fault: REVOKE USAGE ON FOREIGN SERVER other FROM strangers_reader
-- Fault: ALTER FOREIGN TABLE lines DROP CONSTRAINT lines_kind_check, ADD CONSTRAINT lines_kind_check CHECK (kind IN ('a', 'c'))
