-- Triggers of a partitioned table: cloned to partitions, one of them disabled on one partition only, and a comment on a
-- clone, which no dump carries.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE task (id int, state varchar(10)) PARTITION BY LIST (id);
CREATE TABLE task_1 PARTITION OF task FOR VALUES IN (1);
CREATE TABLE task_2 PARTITION OF task FOR VALUES IN (2);
CREATE TRIGGER noted AFTER UPDATE ON task FOR EACH ROW WHEN (NEW.state IN ('a', 'b')) EXECUTE FUNCTION note('x');
CREATE TRIGGER early BEFORE INSERT ON task FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE task_2 DISABLE TRIGGER noted;
COMMENT ON TRIGGER noted ON task IS 'of the whole';
COMMENT ON TRIGGER noted ON task_1 IS 'of a clone';
INSERT INTO task VALUES (1, 'a'), (2, 'b');
-- Fault: ALTER TABLE task_2 ENABLE TRIGGER noted
-- Fault: DROP TRIGGER early ON task
-- Fault: COMMENT ON TRIGGER noted ON task IS NULL
