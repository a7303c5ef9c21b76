-- More decimals for prices. All there are have two, and so the way back takes nothing from them.
-- Verdict: deployed
--- before
CREATE TABLE price (sku text PRIMARY KEY, amount numeric(8,2) NOT NULL);
INSERT INTO price VALUES ('a', 1.5), ('b', 2.25);
--- apply
ALTER TABLE price ALTER COLUMN amount TYPE numeric(12,4);
--- rollback
ALTER TABLE price ALTER COLUMN amount TYPE numeric(8,2);
--- users
INSERT INTO price VALUES ('c', 3.1234);
UPDATE price SET amount = 1.0001 WHERE sku = 'a';
