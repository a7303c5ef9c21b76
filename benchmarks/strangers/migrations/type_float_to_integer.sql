-- Whoever thought that there were only whole numbers: the fractions are gone on the way back.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.amount
--- before
CREATE TABLE amount (id int PRIMARY KEY, value double precision);
INSERT INTO amount VALUES (1, 3), (2, 2.5);
--- apply
ALTER TABLE amount ALTER COLUMN value TYPE integer;
--- rollback
ALTER TABLE amount ALTER COLUMN value TYPE double precision;
