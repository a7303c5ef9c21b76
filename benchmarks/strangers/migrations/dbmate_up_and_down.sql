-- dbmate's layout: both halves in one file.
-- Verdict: deployed
-- Migration: 20260102030405
--- before
CREATE TABLE users (id serial PRIMARY KEY, name varchar(255));
INSERT INTO users (name) VALUES ('ada'), ('grace');
--- migrations/20260102030405_create_orders.sql
-- migrate:up
CREATE TABLE orders (
  id serial PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users (id) ON DELETE RESTRICT ON UPDATE CASCADE,
  total numeric(12, 2) NOT NULL CHECK (total >= 0)
);

-- migrate:down
DROP TABLE orders;
--- users
INSERT INTO orders (user_id, total) VALUES (1, 10.5), (2, 0);
