-- Rails: add a column, fill it from others, then forbid NULL; the way back drops it.
-- Verdict: deployed
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, first_name varchar, last_name varchar, created_at timestamp(6) NOT NULL DEFAULT now());
INSERT INTO users (first_name, last_name) VALUES ('Ada', 'Lovelace'), ('Grace', NULL);
--- apply
ALTER TABLE "users" ADD "full_name" character varying;
UPDATE "users" SET "full_name" = concat_ws(' ', first_name, last_name);
ALTER TABLE "users" ALTER COLUMN "full_name" SET NOT NULL;
--- rollback
ALTER TABLE "users" DROP COLUMN "full_name";
--- users
UPDATE users SET full_name = 'Rear Admiral Grace Hopper' WHERE id = 2;
INSERT INTO users (first_name, full_name) VALUES ('Barbara', 'Barbara Liskov');
