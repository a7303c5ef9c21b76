-- Columns become one document and go; the way back unpacks it.
-- Verdict: deployed
--- before
CREATE TABLE profile (id int PRIMARY KEY, street text, city text);
INSERT INTO profile VALUES (1, 'Main Street 1', 'Paris'), (2, NULL, 'Rome'), (3, NULL, NULL);
--- apply
ALTER TABLE profile ADD COLUMN address jsonb;
UPDATE profile SET address = jsonb_build_object('street', street, 'city', city);
ALTER TABLE profile DROP COLUMN street, DROP COLUMN city;
--- rollback
ALTER TABLE profile ADD COLUMN street text, ADD COLUMN city text;
UPDATE profile SET street = address ->> 'street', city = address ->> 'city';
ALTER TABLE profile DROP COLUMN address;
--- users
UPDATE profile SET address = '{"street": "Side Street 2", "city": "Paris", "floor": 3}' WHERE id = 1;
