-- A rollback that says in words of its own what it leaves.
-- Verdict: refused header_invalid
-- Names: Leaves: the old index
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
-- Leaves: the old index
ALTER TABLE note DROP COLUMN body;
