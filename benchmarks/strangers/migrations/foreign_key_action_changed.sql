-- What happens to the orders of a customer who goes: cascade instead of restrict.
-- Verdict: deployed
--- before
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int CONSTRAINT purchase_customer REFERENCES customer ON DELETE RESTRICT);
INSERT INTO customer VALUES (1), (2);
INSERT INTO purchase VALUES (1, 1), (2, 2);
--- apply
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer ON DELETE CASCADE;
--- rollback
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer ON DELETE RESTRICT;
--- users
DELETE FROM customer WHERE id = 2;
INSERT INTO customer VALUES (3);
INSERT INTO purchase VALUES (3, 3);
