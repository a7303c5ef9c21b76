-- A row is deleted, and with it by cascade those of two other tables.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.line
--- before
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE);
CREATE TABLE line (id int PRIMARY KEY, purchase_id int REFERENCES purchase ON DELETE CASCADE);
INSERT INTO customer VALUES (1), (2);
INSERT INTO purchase VALUES (1, 1), (2, 2);
INSERT INTO line VALUES (1, 1), (2, 2);
--- apply
DELETE FROM customer WHERE id = 2;
--- rollback
INSERT INTO customer VALUES (2);
