-- DROP TABLE ... CASCADE takes the key of another table along.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: note_author
--- before
CREATE TABLE author (id int PRIMARY KEY);
CREATE TABLE note (id int PRIMARY KEY, author int CONSTRAINT note_author REFERENCES author);
--- apply
DROP TABLE author CASCADE;
--- rollback
CREATE TABLE author (id int PRIMARY KEY);
