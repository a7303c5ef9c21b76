-- A key is added without a look at the rows that there are, among them an orphan; new rows it does check.
-- Verdict: deployed
--- before
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int);
INSERT INTO customer VALUES (1);
INSERT INTO purchase VALUES (1, 1), (2, 99);
--- apply
ALTER TABLE purchase ADD CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES customer NOT VALID;
--- rollback
ALTER TABLE purchase DROP CONSTRAINT purchase_customer;
--- users
INSERT INTO purchase VALUES (3, 1);
