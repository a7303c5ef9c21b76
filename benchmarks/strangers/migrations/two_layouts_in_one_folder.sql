-- A folder that changed its tool: a script of Flyway's beside one of dbmate's.
-- Verdict: refused sql_layout_ambiguous
-- Names: V1__person.sql
-- Names: 20260102030405_name.sql
-- Migration: 20260102030405
--- before
CREATE TABLE person (id int PRIMARY KEY);
--- migrations/V1__person.sql
CREATE TABLE person (id int PRIMARY KEY);
--- migrations/20260102030405_name.sql
-- migrate:up
ALTER TABLE person ADD COLUMN name text;
-- migrate:down
ALTER TABLE person DROP COLUMN name;
