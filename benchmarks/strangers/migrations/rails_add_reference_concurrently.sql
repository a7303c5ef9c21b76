-- add_reference with an index built concurrently and a foreign key that is validated apart: no transaction.
-- Verdict: deployed
--- before
CREATE TABLE accounts (id bigserial PRIMARY KEY, name varchar);
CREATE TABLE invoices (id bigserial PRIMARY KEY, total numeric(10,2) NOT NULL);
INSERT INTO accounts (name) VALUES ('one'), ('two');
INSERT INTO invoices (total) VALUES (1.50), (99.99);
--- apply
-- disable_ddl_transaction!
ALTER TABLE "invoices" ADD "account_id" bigint;
CREATE INDEX CONCURRENTLY "index_invoices_on_account_id" ON "invoices" ("account_id");
ALTER TABLE "invoices" ADD CONSTRAINT "fk_rails_22a1" FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") NOT VALID;
ALTER TABLE "invoices" VALIDATE CONSTRAINT "fk_rails_22a1";
--- rollback
DROP INDEX CONCURRENTLY "index_invoices_on_account_id";
ALTER TABLE "invoices" DROP CONSTRAINT "fk_rails_22a1";
ALTER TABLE "invoices" DROP COLUMN "account_id";
--- users
UPDATE invoices SET account_id = 1 WHERE id = 1;
INSERT INTO invoices (total, account_id) VALUES (7, 2);
