-- Description: Its rollback forgets an index
-- Requires: 001
ALTER TABLE orders ADD COLUMN note text;
CREATE INDEX orders_unpaid ON orders (customer) WHERE NOT paid;
