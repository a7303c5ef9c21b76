-- Requires: 002
-- Transaction: none
CREATE INDEX CONCURRENTLY customer_by_points ON customer (points);
