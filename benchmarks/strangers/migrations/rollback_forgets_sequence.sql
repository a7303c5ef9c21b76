-- A sequence of its own does not go with the column that takes its default from it.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note_number
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
CREATE SEQUENCE note_number START 100;
ALTER TABLE note ADD COLUMN number int NOT NULL DEFAULT nextval('note_number');
--- rollback
ALTER TABLE note DROP COLUMN number;
