-- ALTER TYPE ADD VALUE, and a downgrade that says "pass": nothing tells that the label stays.
-- Verdict: consent accept_residue=true, rehearsal_rollback_leaves_residue without it
-- Names: -- Leaves: enum label order_state.shipped
--- before
CREATE TYPE order_state AS ENUM ('new', 'paid');
CREATE TABLE orders (id serial PRIMARY KEY, state order_state NOT NULL DEFAULT 'new');
INSERT INTO orders (state) VALUES ('new'), ('paid');
--- apply
ALTER TYPE order_state ADD VALUE 'shipped' BEFORE 'paid';
--- rollback
SELECT 'nothing to do';
--- users
INSERT INTO orders (state) VALUES ('shipped');
UPDATE orders SET state = 'shipped' WHERE id = 2;
