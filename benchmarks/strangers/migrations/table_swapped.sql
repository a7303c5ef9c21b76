-- A table is built anew beside the old one and takes its name; the old one stays for the way back.
-- Verdict: deployed
--- before
CREATE TABLE log (id int CONSTRAINT log_pkey PRIMARY KEY, line text);
INSERT INTO log VALUES (1, 'a'), (2, 'b');
--- apply
CREATE TABLE log_new (id int CONSTRAINT log_new_pkey PRIMARY KEY, line text NOT NULL, level smallint NOT NULL DEFAULT 0);
INSERT INTO log_new SELECT id, coalesce(line, '') FROM log;
ALTER TABLE log RENAME TO log_old;
ALTER TABLE log_new RENAME TO log;
--- rollback
DROP TABLE log;
ALTER TABLE log_old RENAME TO log;
--- users
INSERT INTO log VALUES (3, 'c', 2);
