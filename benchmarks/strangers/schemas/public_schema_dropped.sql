-- A database whose schema public was dropped, as hardened ones are.
DROP SCHEMA public; CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, s varchar(3) CHECK (s IN ('a', 'b')));
INSERT INTO app.t VALUES (1, 'a');
-- Fault: CREATE SCHEMA public
-- Fault: DROP TABLE app.t
