-- strong_migrations' way to NOT NULL: a check that is not valid, validated, and dropped when the column forbids NULL.
-- Verdict: deployed
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar);
INSERT INTO users (email) VALUES ('a@x'), ('b@x');
--- apply
ALTER TABLE "users" ADD CONSTRAINT "users_email_null" CHECK (email IS NOT NULL) NOT VALID;
ALTER TABLE "users" VALIDATE CONSTRAINT "users_email_null";
ALTER TABLE "users" ALTER COLUMN "email" SET NOT NULL;
ALTER TABLE "users" DROP CONSTRAINT "users_email_null";
--- rollback
ALTER TABLE "users" ALTER COLUMN "email" DROP NOT NULL;
--- users
INSERT INTO users (email) VALUES ('c@x');
