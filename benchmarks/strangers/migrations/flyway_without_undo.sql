-- The community edition of Flyway has no undo: there is no U file.
-- Verdict: refused rollback_script_missing
-- Names: U2__owner.sql
-- Migration: 2
--- before
CREATE TABLE person (id int PRIMARY KEY);
--- V2__owner.sql
ALTER TABLE person ADD COLUMN owner text;
