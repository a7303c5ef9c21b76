-- structure.sql's habits: timestamps with now(), and the script records itself in schema_migrations.
-- Verdict: deployed
--- before
CREATE TABLE notes (id bigserial PRIMARY KEY, body text);
INSERT INTO notes (body) VALUES ('x'), ('y');
--- apply
SET statement_timeout = 0;
SET lock_timeout = 0;
SET client_min_messages = warning;
SET default_table_access_method = heap;
ALTER TABLE notes ADD COLUMN created_at timestamp(6) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL;
INSERT INTO schema_migrations (version) VALUES ('002');
--- rollback
DELETE FROM schema_migrations WHERE version = '002';
ALTER TABLE notes DROP COLUMN created_at;
--- users
INSERT INTO notes (body) VALUES ('z');
