-- SET LOCAL search_path in one transaction, and tables of another schema made in the next.
-- Verdict: refused statement_forbidden
-- Names: SET LOCAL search_path
--- before
CREATE SCHEMA billing;
--- apply
BEGIN;
SET LOCAL search_path = billing;
CREATE TABLE invoice (id int PRIMARY KEY);
COMMIT;
BEGIN;
CREATE TABLE note (id int PRIMARY KEY);
COMMIT;
--- rollback
DROP TABLE note, billing.invoice;
