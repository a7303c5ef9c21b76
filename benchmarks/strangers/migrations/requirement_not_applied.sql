-- A migration whose predecessor, which made its table, is not deployed.
-- Verdict: refused requirement_not_applied
-- Names: 0000
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- migrations/0000_label.sql
CREATE TABLE label (id int PRIMARY KEY);
--- rollback/0000_label_rollback.sql
DROP TABLE label;
--- apply
-- Requires: 0000
ALTER TABLE label ADD COLUMN name text;
--- rollback
ALTER TABLE label DROP COLUMN name;
