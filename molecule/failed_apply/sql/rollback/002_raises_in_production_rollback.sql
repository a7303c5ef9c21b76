-- The rehearsal compares data: what was overwritten has to come back.
UPDATE orders SET paid = false;
ALTER TABLE orders DROP COLUMN note;
