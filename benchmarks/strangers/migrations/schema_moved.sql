-- Tables move into a schema of their own.
-- Verdict: deployed
--- before
CREATE TABLE invoice (id serial PRIMARY KEY, total int);
CREATE TABLE invoice_line (invoice_id int REFERENCES invoice, amount int);
INSERT INTO invoice (total) VALUES (10);
INSERT INTO invoice_line VALUES (1, 10);
--- apply
-- Data Loss: NONE
CREATE SCHEMA billing;
ALTER TABLE invoice SET SCHEMA billing;
ALTER TABLE invoice_line SET SCHEMA billing;
--- rollback
ALTER TABLE billing.invoice_line SET SCHEMA public;
ALTER TABLE billing.invoice SET SCHEMA public;
DROP SCHEMA billing;
--- users
INSERT INTO billing.invoice (total) VALUES (20);
INSERT INTO billing.invoice_line VALUES (2, 20);
