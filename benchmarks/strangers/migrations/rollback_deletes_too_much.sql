-- The rollback deletes all rows, those too that were there.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.country
--- before
CREATE TABLE country (code text PRIMARY KEY, name text);
INSERT INTO country VALUES ('de', 'Germany');
--- apply
INSERT INTO country VALUES ('ch', 'Switzerland');
--- rollback
DELETE FROM country;
