-- A role that may read, now and in future.
-- Verdict: deployed
--- before
CREATE SCHEMA sales;
CREATE TABLE sales.sale (id int PRIMARY KEY, amount int);
CREATE TABLE sales.plan (id int PRIMARY KEY);
INSERT INTO sales.sale VALUES (1, 5);
--- apply
GRANT USAGE ON SCHEMA sales TO strangers_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA sales TO strangers_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO strangers_reader;
--- rollback
ALTER DEFAULT PRIVILEGES IN SCHEMA sales REVOKE SELECT ON TABLES FROM strangers_reader;
REVOKE SELECT ON ALL TABLES IN SCHEMA sales FROM strangers_reader;
REVOKE USAGE ON SCHEMA sales FROM strangers_reader;
--- users
INSERT INTO sales.sale VALUES (2, 6);
