-- The same with a look at the rows: the orphan is in the way.
-- Verdict: refused statement_failed
-- Names: purchase_customer
-- Names: (customer_id)=(99)
--- before
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int);
INSERT INTO customer VALUES (1);
INSERT INTO purchase VALUES (1, 1), (2, 99);
--- apply
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer;
--- rollback
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
