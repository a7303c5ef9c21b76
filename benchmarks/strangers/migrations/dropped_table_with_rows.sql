-- A table is dropped with its rows; the rollback makes an empty one.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.legacy
--- before
CREATE TABLE legacy (id int PRIMARY KEY, body text);
INSERT INTO legacy VALUES (1, 'x'), (2, 'y');
--- apply
DROP TABLE legacy;
--- rollback
CREATE TABLE legacy (id int PRIMARY KEY, body text);
