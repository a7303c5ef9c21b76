-- A function with an error in its body, which only a call would find; a verify script calls it.
-- Verdict: refused statement_failed
-- Names: verify/002_body_of_function_wrong.sql
-- Names: "nots" does not exist
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE FUNCTION notes() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM nots); END';
--- rollback
DROP FUNCTION notes();
--- verify
SELECT notes() >= 0;
