-- The script adds a column to the table in which versions are recorded.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE schema_migrations ADD COLUMN checksum text;
--- rollback
ALTER TABLE schema_migrations DROP COLUMN checksum;
