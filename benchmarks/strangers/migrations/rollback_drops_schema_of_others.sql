-- The migration makes a table in a schema that there is; the rollback drops the schema, and all in it.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: billing.invoice
--- before
CREATE SCHEMA billing;
CREATE TABLE billing.invoice (id int PRIMARY KEY);
INSERT INTO billing.invoice VALUES (1);
--- apply
CREATE SCHEMA IF NOT EXISTS billing;
CREATE TABLE billing.reminder (id int PRIMARY KEY);
--- rollback
DROP SCHEMA billing CASCADE;
