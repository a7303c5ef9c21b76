-- Description: Its rollback gives back the schema and not the rows
-- Requires: 001
ALTER TABLE orders ADD COLUMN note text;
