-- AddIndexConcurrently of django.contrib.postgres, which is not atomic.
-- Verdict: deployed
--- before
CREATE TABLE shop_order (id bigint PRIMARY KEY, placed timestamptz NOT NULL);
INSERT INTO shop_order SELECT n, '2026-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, 200) AS n;
--- apply
CREATE INDEX CONCURRENTLY "shop_order_placed_idx" ON "shop_order" ("placed");
--- rollback
DROP INDEX CONCURRENTLY IF EXISTS "shop_order_placed_idx";
--- users
INSERT INTO shop_order VALUES (201, '2026-03-01');
