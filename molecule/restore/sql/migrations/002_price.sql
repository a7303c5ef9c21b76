-- Description: Succeeds everywhere; once it is committed its verify script fails, and then its rollback too
-- Requires: 001
ALTER TABLE orders ADD COLUMN price numeric;
