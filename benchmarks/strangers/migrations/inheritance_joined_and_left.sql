-- A table becomes the child of another one, and is one no more.
-- Verdict: deployed
--- before
CREATE TABLE vehicle (id int, wheels int);
CREATE TABLE bicycle (id int, wheels int, bell boolean);
INSERT INTO bicycle VALUES (1, 2, true);
--- apply
ALTER TABLE bicycle INHERIT vehicle;
--- rollback
ALTER TABLE bicycle NO INHERIT vehicle;
--- users
INSERT INTO bicycle VALUES (2, 2, false);
