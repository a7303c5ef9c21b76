-- The rollback drops the parent before the child.
-- Verdict: refused statement_failed
-- Names: cannot drop table parent
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
--- rollback
DROP TABLE parent;
DROP TABLE child;
