-- Orphans are deleted so that a key can be made; nobody keeps them.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.purchase
--- before
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int);
INSERT INTO customer VALUES (1);
INSERT INTO purchase VALUES (1, 1), (2, 99);
--- apply
DELETE FROM purchase WHERE customer_id NOT IN (SELECT id FROM customer);
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer;
--- rollback
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
