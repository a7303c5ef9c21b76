-- What was in a document gets columns of its own; the document stays.
-- Verdict: deployed
--- before
CREATE TABLE profile (id int PRIMARY KEY, data jsonb NOT NULL);
INSERT INTO profile VALUES (1, '{"city": "Paris", "age": 30, "tags": ["a", "b"]}'), (2, '{"city": "Rome"}'), (3, '{}');
--- apply
ALTER TABLE profile ADD COLUMN city text, ADD COLUMN age integer, ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
UPDATE profile
SET city = data ->> 'city',
    age = (data ->> 'age')::integer,
    tags = coalesce((SELECT array_agg(tag) FROM jsonb_array_elements_text(data -> 'tags') AS tag), '{}');
--- rollback
ALTER TABLE profile DROP COLUMN city, DROP COLUMN age, DROP COLUMN tags;
--- users
UPDATE profile SET city = 'Roma', tags = '{x}' WHERE id = 2;
INSERT INTO profile VALUES (4, '{"z": 1}', 'Oslo', 55);
