-- Transaction: none
DROP INDEX CONCURRENTLY customer_by_points;
