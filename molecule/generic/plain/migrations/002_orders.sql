BEGIN;
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id));
COMMIT;

START TRANSACTION;
INSERT INTO orders VALUES (1, 1), (2, 3);
END;
