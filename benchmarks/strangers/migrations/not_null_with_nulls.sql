-- A column may not be NULL any more, and is.
-- Verdict: refused statement_failed
-- Names: column "body" of relation "note" contains null values
-- Names: line 2
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'x'), (2, NULL);
--- apply
-- every note has a body
ALTER TABLE note ALTER COLUMN body SET NOT NULL;
--- rollback
ALTER TABLE note ALTER COLUMN body DROP NOT NULL;
