-- A rollback that gives the rows back with two columns exchanged.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.profile
--- before
CREATE TABLE profile (id int PRIMARY KEY, street text, city text);
INSERT INTO profile VALUES (1, 'Main Street 1', 'Paris');
--- apply
ALTER TABLE profile ADD COLUMN address jsonb;
UPDATE profile SET address = jsonb_build_object('street', street, 'city', city);
ALTER TABLE profile DROP COLUMN street, DROP COLUMN city;
--- rollback
ALTER TABLE profile ADD COLUMN street text, ADD COLUMN city text;
UPDATE profile SET street = address ->> 'city', city = address ->> 'street';
ALTER TABLE profile DROP COLUMN address;
