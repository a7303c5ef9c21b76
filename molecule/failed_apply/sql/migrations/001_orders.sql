-- Migration: 001_orders.sql
-- Description: Orders of a shop
-- Requires: none
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL, paid boolean DEFAULT false);
INSERT INTO orders (customer) SELECT 'Customer ' || n FROM generate_series(1, 20) n;
