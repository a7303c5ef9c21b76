-- The rollback forgets the rows that the migration has brought.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.country
--- before
CREATE TABLE country (code text PRIMARY KEY, name text);
INSERT INTO country VALUES ('de', 'Germany');
--- apply
ALTER TABLE country ADD COLUMN currency text;
INSERT INTO country VALUES ('ch', 'Switzerland', 'CHF');
--- rollback
ALTER TABLE country DROP COLUMN currency;
