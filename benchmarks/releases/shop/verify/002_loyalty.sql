SELECT count(*) = count(*) FILTER (WHERE points = 0) FROM customer;
SELECT to_regclass('reward') IS NOT NULL AND to_regclass('purchase_2027') IS NOT NULL;
