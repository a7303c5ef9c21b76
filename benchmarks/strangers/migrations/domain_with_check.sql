-- A domain for mail addresses takes the place of text.
-- Verdict: deployed
--- before
CREATE TABLE contact (id int PRIMARY KEY, mail text);
INSERT INTO contact VALUES (1, 'a@x'), (2, NULL);
--- apply
CREATE DOMAIN mail_address AS text CONSTRAINT has_at CHECK (VALUE ~ '^[^@]+@[^@]+$');
ALTER TABLE contact ALTER COLUMN mail TYPE mail_address;
--- rollback
ALTER TABLE contact ALTER COLUMN mail TYPE text;
DROP DOMAIN mail_address;
--- users
INSERT INTO contact VALUES (3, 'c@x');
