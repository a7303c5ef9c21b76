-- A key without overlaps, for which the old one goes.
-- Verdict: deployed
--- before
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE price (sku int NOT NULL, valid daterange NOT NULL, amount int, CONSTRAINT price_key PRIMARY KEY (sku, valid));
INSERT INTO price VALUES (1, '[2026-01-01,2026-02-01)', 5), (1, '[2026-02-01,2026-03-01)', 6);
--- apply
ALTER TABLE price DROP CONSTRAINT price_key;
ALTER TABLE price ADD CONSTRAINT price_key PRIMARY KEY (sku, valid WITHOUT OVERLAPS);
--- rollback
ALTER TABLE price DROP CONSTRAINT price_key;
ALTER TABLE price ADD CONSTRAINT price_key PRIMARY KEY (sku, valid);
--- users
INSERT INTO price VALUES (2, '[2026-01-01,)', 7);
