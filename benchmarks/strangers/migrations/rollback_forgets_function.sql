-- The trigger goes with its table, the function stays.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.touch()
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE TABLE label (id int PRIMARY KEY, at timestamptz);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END';
CREATE TRIGGER label_touch BEFORE UPDATE ON label FOR EACH ROW EXECUTE FUNCTION touch();
--- rollback
DROP TABLE label;
