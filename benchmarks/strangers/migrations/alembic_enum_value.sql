-- ALTER TYPE ADD VALUE, which no downgrade can take back; the header of the rollback says so.
-- Verdict: deployed
--- before
CREATE TYPE order_state AS ENUM ('new', 'paid');
CREATE TABLE orders (id serial PRIMARY KEY, state order_state NOT NULL DEFAULT 'new');
INSERT INTO orders (state) VALUES ('new'), ('paid');
--- apply
ALTER TYPE order_state ADD VALUE IF NOT EXISTS 'shipped';
--- rollback
-- Leaves: enum label order_state.shipped
SELECT 1;  -- PostgreSQL has no ALTER TYPE ... DROP VALUE
--- users
INSERT INTO orders (state) VALUES ('shipped');
UPDATE orders SET state = 'shipped' WHERE id = 2;
