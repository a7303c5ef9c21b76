-- A column of numbers as text, in which somebody has written a word.
-- Verdict: refused statement_failed
-- Names: 002_type_text_to_integer_with_words.sql
-- Names: invalid input syntax for type integer: "twelve"
--- before
CREATE TABLE stock (id int PRIMARY KEY, pieces text);
INSERT INTO stock VALUES (1, '3'), (2, 'twelve');
--- apply
ALTER TABLE stock ALTER COLUMN pieces TYPE integer USING pieces::integer;
--- rollback
ALTER TABLE stock ALTER COLUMN pieces TYPE text USING pieces::text;
