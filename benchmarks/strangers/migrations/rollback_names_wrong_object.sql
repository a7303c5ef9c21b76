-- The rollback has a name that PostgreSQL did not give: the constraint is called otherwise.
-- Verdict: refused statement_failed
-- Names: constraint "note_body_unique" of relation "note" does not exist
-- Names: rollback/002_rollback_names_wrong_object_rollback.sql
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
ALTER TABLE note ADD UNIQUE (body);
--- rollback
ALTER TABLE note DROP CONSTRAINT note_body_unique;
