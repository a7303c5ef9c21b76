-- A name that psql would put in.
-- Verdict: refused script_not_plain_sql
-- Names: :"owner"
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
ALTER TABLE note OWNER TO :"owner";
--- rollback
ALTER TABLE note OWNER TO CURRENT_USER;
