-- A draft that was not written to its end.
-- Verdict: refused script_unfinished
-- Names: write the rollback of the trigger
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
-- Unfinished: write the rollback of the trigger
ALTER TABLE note DROP COLUMN body;
