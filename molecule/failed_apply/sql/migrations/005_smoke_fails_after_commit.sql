-- Description: Succeeds everywhere; a smoke test does not, once it is committed
-- Requires: 001
CREATE TABLE parcels (order_id bigint PRIMARY KEY REFERENCES orders (id));
INSERT INTO parcels SELECT id FROM orders WHERE id <= 5;
