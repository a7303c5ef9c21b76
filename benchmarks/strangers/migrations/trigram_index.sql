-- An extension for an index that finds parts of words.
-- Verdict: deployed
-- Needs: extension pg_trgm
--- before
CREATE TABLE person (id int PRIMARY KEY, name text);
INSERT INTO person VALUES (1, 'Ada Lovelace'), (2, 'Grace Hopper');
--- apply
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX person_name_trigrams ON person USING gin (name gin_trgm_ops);
--- rollback
DROP INDEX person_name_trigrams;
DROP EXTENSION pg_trgm;
--- users
INSERT INTO person VALUES (3, 'Barbara Liskov');
