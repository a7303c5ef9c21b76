ALTER TABLE orders ADD COLUMN second text DEFAULT E'it\'s; done';
