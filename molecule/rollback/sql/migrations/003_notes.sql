-- Description: Notes on accounts
-- Requires: 001
ALTER TABLE accounts ADD COLUMN note text;
