-- A migration that requires one that the folder does not have.
-- Verdict: refused requirement_unknown
-- Names: 017
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
-- Requires: 017
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
