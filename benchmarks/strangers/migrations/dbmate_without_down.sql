-- A file of dbmate's that ends after its first half.
-- Verdict: refused rollback_script_missing
-- Names: migrate:down
-- Migration: 20260102030405
--- before
CREATE TABLE users (id serial PRIMARY KEY);
--- migrations/20260102030405_add_name.sql
-- migrate:up
ALTER TABLE users ADD COLUMN name text;
