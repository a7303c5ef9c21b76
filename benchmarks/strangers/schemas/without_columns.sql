-- Tables and views without columns, types without attributes, dropped to the last.
CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES; INSERT INTO bare DEFAULT VALUES; CREATE VIEW bare_view AS SELECT FROM bare; CREATE TYPE nothing AS ();
CREATE TABLE lost (a int); INSERT INTO lost VALUES (1); ALTER TABLE lost DROP a;
-- Fault: INSERT INTO bare DEFAULT VALUES
-- Fault: DROP TYPE nothing
