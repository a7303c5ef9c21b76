-- CREATE TABLE IF NOT EXISTS finds another table of the name, with rows, and its rollback drops that.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.label
--- before
CREATE TABLE label (code text PRIMARY KEY, colour text);
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO label VALUES ('a', 'red');
--- apply
CREATE TABLE IF NOT EXISTS label (id int PRIMARY KEY, name text);
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
DROP TABLE label;
