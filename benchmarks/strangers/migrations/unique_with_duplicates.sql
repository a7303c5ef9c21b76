-- Mail addresses are to be unique, and two are the same.
-- Verdict: refused statement_failed
-- Names: person_email
-- Names: (email)=(a@x)
--- before
CREATE TABLE person (id int PRIMARY KEY, email text);
INSERT INTO person VALUES (1, 'a@x'), (2, 'a@x');
--- apply
ALTER TABLE person ADD CONSTRAINT person_email UNIQUE (email);
--- rollback
ALTER TABLE person DROP CONSTRAINT person_email;
