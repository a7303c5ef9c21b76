-- enable_extension, and a column that uses it.
-- Verdict: deployed
-- Needs: extension citext
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar NOT NULL);
INSERT INTO users (email) VALUES ('Ada@Example.org');
--- apply
CREATE EXTENSION IF NOT EXISTS "citext";
ALTER TABLE "users" ALTER COLUMN "email" TYPE citext;
CREATE UNIQUE INDEX "index_users_on_email" ON "users" ("email");
--- rollback
DROP INDEX "index_users_on_email";
ALTER TABLE "users" ALTER COLUMN "email" TYPE varchar;
DROP EXTENSION "citext";
--- users
INSERT INTO users (email) VALUES ('Grace@Example.org');
