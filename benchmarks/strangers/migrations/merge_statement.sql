-- MERGE takes over what came from elsewhere; what it overwrites is kept for the way back.
-- Verdict: deployed
--- before
CREATE TABLE stock (sku text PRIMARY KEY, pieces int NOT NULL);
CREATE TABLE delivery (sku text PRIMARY KEY, pieces int NOT NULL);
INSERT INTO stock VALUES ('a', 1), ('b', 2);
INSERT INTO delivery VALUES ('b', 10), ('c', 20);
--- apply
CREATE TABLE stock_before AS TABLE stock;
MERGE INTO stock AS s USING delivery AS d ON s.sku = d.sku
    WHEN MATCHED THEN UPDATE SET pieces = s.pieces + d.pieces
    WHEN NOT MATCHED THEN INSERT VALUES (d.sku, d.pieces);
--- rollback
DELETE FROM stock WHERE sku NOT IN (SELECT sku FROM stock_before);
UPDATE stock SET pieces = b.pieces FROM stock_before AS b WHERE b.sku = stock.sku;
DROP TABLE stock_before;
--- users
UPDATE stock SET pieces = 0 WHERE sku = 'c';
