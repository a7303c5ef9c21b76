-- A migration with all that can stand beside it.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO person VALUES (1, 'Ada'), (2, 'Grace');
--- precheck
SELECT count(*) = 0, 'persons without a name', count(*) FROM person WHERE name = '';
--- apply
ALTER TABLE person ADD COLUMN initial char(1);
UPDATE person SET initial = left(name, 1);
--- rollback
ALTER TABLE person DROP COLUMN initial;
--- verify
BEGIN;
SELECT 1/count(*) FROM information_schema.columns WHERE table_name = 'person' AND column_name = 'initial';
SELECT count(*) = 0, 'persons without an initial' FROM person WHERE initial IS NULL;
ROLLBACK;
--- smoke
SELECT id, name FROM person ORDER BY id LIMIT 5;
--- users
INSERT INTO person VALUES (3, 'Barbara', 'B');
