-- Indexes on an expression, with an operator class, with INCLUDE and with storage parameters.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, email text NOT NULL, born date);
INSERT INTO person VALUES (1, 'Ada@x', '1815-12-10'), (2, 'grace@x', NULL);
--- apply
CREATE UNIQUE INDEX person_email_lower ON person (lower(email) text_pattern_ops) WITH (fillfactor = 80);
CREATE INDEX person_born ON person (born DESC NULLS LAST) INCLUDE (email);
--- rollback
DROP INDEX person_born, person_email_lower;
--- users
INSERT INTO person VALUES (3, 'barbara@x', '1939-11-07');
