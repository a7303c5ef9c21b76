-- A table that production does not have; on the author's machine it was there.
-- Verdict: refused statement_failed
-- Names: relation "label" does not exist
-- Names: line 1
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE label ADD COLUMN body text;
--- rollback
ALTER TABLE label DROP COLUMN body;
