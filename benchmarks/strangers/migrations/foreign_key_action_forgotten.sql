-- The same, and the rollback forgets the action that there was.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: purchase_customer
--- before
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int CONSTRAINT purchase_customer REFERENCES customer ON DELETE RESTRICT);
--- apply
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer ON DELETE CASCADE;
--- rollback
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer;
