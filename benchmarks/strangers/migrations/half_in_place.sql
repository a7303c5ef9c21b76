-- Somebody has carried half of the migration out by hand.
-- Verdict: refused statement_failed
-- Names: column "body" of relation "note" already exists
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
ALTER TABLE note ADD COLUMN body text;
CREATE TABLE label (id int PRIMARY KEY);
--- rollback
DROP TABLE label;
ALTER TABLE note DROP COLUMN body;
