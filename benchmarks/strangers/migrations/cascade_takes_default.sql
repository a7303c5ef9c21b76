-- DROP SEQUENCE ... CASCADE takes the default of a column along.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note.number
--- before
CREATE SEQUENCE numbers;
CREATE TABLE note (id int PRIMARY KEY, number int DEFAULT nextval('numbers'));
--- apply
DROP SEQUENCE numbers CASCADE;
--- rollback
CREATE SEQUENCE numbers;
