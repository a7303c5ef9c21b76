-- Several parents, a column and a check from both, a parent's column added later, one without inheritance.
CREATE TABLE left_one (id int, a varchar(5) CHECK (a IN ('x', 'y')), CONSTRAINT shared CHECK (id > 0));
CREATE TABLE right_one (id int, b text DEFAULT 'r', CONSTRAINT shared CHECK (id > 0), CONSTRAINT alone CHECK (b <> '') NO INHERIT);
CREATE TABLE child (own int, id int DEFAULT 5, CONSTRAINT shared CHECK (id > 0)) INHERITS (left_one, right_one);
CREATE TABLE grandchild () INHERITS (child);
ALTER TABLE left_one ADD later date DEFAULT '2020-01-01';
ALTER TABLE ONLY right_one ALTER b SET DEFAULT 'only';
ALTER TABLE grandchild ALTER a SET DEFAULT 'y';
CREATE TABLE joined (z int, a varchar(5), id int, later date, CONSTRAINT shared CHECK (id > 0), CONSTRAINT left_one_a_check CHECK (a IN ('x', 'y')));
ALTER TABLE joined INHERIT left_one;
INSERT INTO child (own) VALUES (1); INSERT INTO grandchild (own, id) VALUES (1, 2);
-- Fault: ALTER TABLE joined NO INHERIT left_one
-- Fault: ALTER TABLE right_one DROP CONSTRAINT alone
-- Fault: ALTER TABLE grandchild ALTER a SET DEFAULT 'x'
-- Fault: ALTER TABLE child DROP own
-- Fault: ALTER TABLE right_one DROP CONSTRAINT alone, ADD CONSTRAINT alone CHECK (b <> '')
