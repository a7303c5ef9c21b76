-- Columns that were dropped, added, retyped and renamed, under checks and indexes with lists.
CREATE TABLE changed (a int, b varchar(5), c text, d int, CONSTRAINT words CHECK (b IN ('x', 'y')));
ALTER TABLE changed DROP a, ADD e varchar(9) DEFAULT 'q' CHECK (e IN ('q', 'r')), ALTER d TYPE bigint;
CREATE INDEX changed_b ON changed (d) WHERE b IN ('x', 'y'); ALTER TABLE changed RENAME b TO renamed; ALTER TABLE changed ALTER c TYPE varchar(30);
INSERT INTO changed VALUES ('x', 'c', 5);
-- Fault: ALTER TABLE changed ALTER renamed TYPE varchar(6)
-- Fault: ALTER TABLE changed DROP CONSTRAINT words, ADD CONSTRAINT words CHECK (renamed IN ('x', 'Y')) NOT VALID
-- Fault: ALTER TABLE changed RENAME e TO f
