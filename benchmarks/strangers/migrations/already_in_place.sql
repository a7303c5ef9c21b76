-- Somebody has carried the migration out by hand, and nothing records it.
-- Verdict: refused database_not_adopted
-- Names: 002
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
