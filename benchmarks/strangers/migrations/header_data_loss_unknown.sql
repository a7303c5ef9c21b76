-- A word for data loss that there is not.
-- Verdict: refused header_invalid
-- Names: Data Loss: maybe
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
-- Data Loss: maybe
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
