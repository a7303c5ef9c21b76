-- What pg_dump writes since August 2025 at the top of its scripts.
-- Verdict: refused script_not_plain_sql
-- Names: \restrict
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
\restrict k2f9
CREATE TABLE country (code char(2) PRIMARY KEY);
\unrestrict k2f9
--- rollback
DROP TABLE country;
