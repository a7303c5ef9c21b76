-- Description: Succeeds everywhere; its verify script does not, once it is committed
-- Requires: 001
ALTER TABLE orders ADD COLUMN note text;
CREATE TABLE refunds (order_id bigint PRIMARY KEY REFERENCES orders (id));
