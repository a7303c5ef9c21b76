-- A rollback with an index built between two statements that change rows.
-- Verdict: refused rollback_changes_rows_apart
-- Names: lines 1, 3
--- before
CREATE TABLE note (id int PRIMARY KEY, body text, kind text);
CREATE INDEX note_kind ON note (kind);
--- apply
DROP INDEX CONCURRENTLY note_kind;
ALTER TABLE note ADD COLUMN a int;
ALTER TABLE note ADD COLUMN b int;
--- rollback
ALTER TABLE note DROP COLUMN b;
CREATE INDEX CONCURRENTLY note_kind ON note (kind);
ALTER TABLE note DROP COLUMN a;
