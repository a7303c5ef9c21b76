-- golang-migrate tolerates an up file without its down file.
-- Verdict: refused rollback_script_missing
-- Names: 000002_add_mood.down.sql
-- Migration: 000002
--- before
CREATE TABLE users (user_id serial PRIMARY KEY);
--- migrations/000002_add_mood.up.sql
ALTER TABLE users ADD COLUMN mood text;
