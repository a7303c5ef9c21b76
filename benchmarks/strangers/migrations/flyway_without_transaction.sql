-- Flyway's executeInTransaction=false in a file beside the script.
-- Verdict: deployed
-- Migration: 2
--- before
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO person VALUES (1, 'Axel');
--- V2__index_names.sql
CREATE INDEX CONCURRENTLY IF NOT EXISTS person_name ON person (name);
--- V2__index_names.sql.conf
executeInTransaction=false
--- U2__index_names.sql
DROP INDEX CONCURRENTLY IF EXISTS person_name;
--- U2__index_names.sql.conf
executeInTransaction=false
