ALTER TABLE orders ADD COLUMN first text DEFAULT 'a;b';
