-- A change of type rewrites a table that counts as large here.
-- Verdict: consent accept_table_rewrite=true, impact_not_allowed without it
-- Names: rewrites public.event
-- Names: accept_table_rewrite=true
-- With: large_table_mb=0
--- before
CREATE TABLE event (id int PRIMARY KEY, kind int);
INSERT INTO event SELECT n, n FROM generate_series(1, 1000) AS n;
--- apply
ALTER TABLE event ALTER COLUMN kind TYPE bigint;
--- rollback
ALTER TABLE event ALTER COLUMN kind TYPE int;
--- users
INSERT INTO event VALUES (1001, 7);
