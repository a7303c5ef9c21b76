-- op.drop_constraint and op.create_unique_constraint, with a naming convention applied late.
-- Verdict: deployed
--- before
CREATE TABLE account (id serial PRIMARY KEY, email text CONSTRAINT email_unique UNIQUE, age int CONSTRAINT age_check CHECK (age >= 0));
INSERT INTO account (email, age) VALUES ('a@x', 30), (NULL, 40);
--- apply
ALTER TABLE account DROP CONSTRAINT email_unique;
ALTER TABLE account ADD CONSTRAINT uq_account_email UNIQUE NULLS NOT DISTINCT (email);
ALTER TABLE account RENAME CONSTRAINT age_check TO ck_account_age;
--- rollback
ALTER TABLE account RENAME CONSTRAINT ck_account_age TO age_check;
ALTER TABLE account DROP CONSTRAINT uq_account_email;
ALTER TABLE account ADD CONSTRAINT email_unique UNIQUE (email);
--- users
INSERT INTO account (email, age) VALUES ('b@x', 50);
