-- Constraints that were never validated, on tables whose rows break them.
CREATE TABLE ref (id int PRIMARY KEY);
CREATE TABLE loose (id int, s varchar(9)); INSERT INTO loose VALUES (9, 'zz');
ALTER TABLE loose ADD CONSTRAINT words CHECK (s IN ('a', 'b')) NOT VALID;
ALTER TABLE loose ADD CONSTRAINT refs FOREIGN KEY (id) REFERENCES ref ON UPDATE SET NULL NOT VALID;
ALTER TABLE loose ADD CONSTRAINT alone CHECK (s <> 'q') NO INHERIT NOT VALID;
-- Fault: DELETE FROM loose; ALTER TABLE loose VALIDATE CONSTRAINT words
-- Fault: ALTER TABLE loose DROP CONSTRAINT words, ADD CONSTRAINT words CHECK (s IN ('a', 'B')) NOT VALID
-- Fault: ALTER TABLE loose DROP CONSTRAINT alone
