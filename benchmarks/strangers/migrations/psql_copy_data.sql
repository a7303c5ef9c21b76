-- Rows as pg_dump writes them.
-- Verdict: refused script_not_plain_sql
-- Names: COPY FROM STDIN
-- Names: line 2
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
CREATE TABLE country (code char(2) PRIMARY KEY, name text);
COPY country (code, name) FROM stdin;
de	Germany
fr	France
\.
--- rollback
DROP TABLE country;
