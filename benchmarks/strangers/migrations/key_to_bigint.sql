-- A key is about to run out of integers: column, reference and sequence become bigint.
-- Verdict: deployed
--- before
CREATE TABLE account (id serial PRIMARY KEY, name text);
CREATE TABLE entry (id serial PRIMARY KEY, account_id integer NOT NULL REFERENCES account, amount int);
CREATE INDEX entry_account ON entry (account_id);
INSERT INTO account (name) VALUES ('a'), ('b');
INSERT INTO entry (account_id, amount) VALUES (1, 5), (2, 6);
--- apply
BEGIN;
ALTER TABLE entry ALTER COLUMN account_id TYPE bigint;
ALTER TABLE account ALTER COLUMN id TYPE bigint;
ALTER SEQUENCE account_id_seq AS bigint;
COMMIT;
--- rollback
BEGIN;
ALTER SEQUENCE account_id_seq AS integer;
ALTER TABLE account ALTER COLUMN id TYPE integer;
ALTER TABLE entry ALTER COLUMN account_id TYPE integer;
COMMIT;
--- users
INSERT INTO account (name) VALUES ('c');
INSERT INTO entry (account_id, amount) VALUES (3, 7);
