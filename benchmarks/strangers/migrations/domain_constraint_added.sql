-- A domain gets another constraint, not valid at first, then validated.
-- Verdict: deployed
--- before
CREATE DOMAIN code AS varchar(8) CHECK (VALUE <> '');
CREATE TABLE item (id int PRIMARY KEY, code code);
INSERT INTO item VALUES (1, 'A1'), (2, 'B2');
--- apply
ALTER DOMAIN code ADD CONSTRAINT code_upper CHECK (VALUE = upper(VALUE)) NOT VALID;
ALTER DOMAIN code VALIDATE CONSTRAINT code_upper;
--- rollback
ALTER DOMAIN code DROP CONSTRAINT code_upper;
--- users
INSERT INTO item VALUES (3, 'C3');
