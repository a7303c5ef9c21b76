-- A label of an enum gets another name, and back.
-- Verdict: deployed
--- before
CREATE TYPE colour AS ENUM ('red', 'gray');
CREATE TABLE car (id int PRIMARY KEY, colour colour);
INSERT INTO car VALUES (1, 'gray'), (2, 'red');
--- apply
ALTER TYPE colour RENAME VALUE 'gray' TO 'grey';
--- rollback
ALTER TYPE colour RENAME VALUE 'grey' TO 'gray';
--- users
INSERT INTO car VALUES (3, 'grey');
