-- Foreign keys whose triggers are off, which no dump carries, and rules of views that are off.
CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p, s varchar(2) CHECK (s IN ('a', 'b'))); ALTER TABLE c DISABLE TRIGGER ALL; INSERT INTO c VALUES (9, 'a');
ALTER TABLE c DROP CONSTRAINT c_id_fkey; ALTER TABLE c ADD CONSTRAINT c_id_fkey FOREIGN KEY (id) REFERENCES p NOT VALID; ALTER TABLE c DISABLE TRIGGER ALL;
-- Fault: ALTER TABLE c DROP CONSTRAINT c_id_fkey
