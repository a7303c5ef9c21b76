-- golang-migrate's layout.
-- Verdict: deployed
-- Migration: 000002
--- before
CREATE TABLE users (user_id serial PRIMARY KEY, username varchar(50) UNIQUE NOT NULL);
INSERT INTO users (username) VALUES ('ada');
--- migrations/000002_add_mood_to_users.up.sql
BEGIN;

CREATE TYPE enum_mood AS ENUM (
    'happy',
    'sad',
    'neutral'
);
ALTER TABLE users ADD COLUMN IF NOT EXISTS mood enum_mood;

COMMIT;
--- migrations/000002_add_mood_to_users.down.sql
BEGIN;

ALTER TABLE users DROP COLUMN mood;
DROP TYPE enum_mood;

COMMIT;
--- users
UPDATE users SET mood = 'happy';
