-- The column goes, the enum stays.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.mood
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE TYPE mood AS ENUM ('good', 'bad');
ALTER TABLE note ADD COLUMN mood mood;
--- rollback
ALTER TABLE note DROP COLUMN mood;
