-- The same, declared as a loss: which rows were NULL nobody will know any more.
-- Verdict: consent accept_data_loss=true, rehearsal_rollback_data_differs without it
-- Names: public.users
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, locale varchar);
INSERT INTO users (locale) VALUES ('de'), (NULL);
--- apply
-- Data Loss: PARTIAL (that a locale was not set)
UPDATE "users" SET "locale" = 'en' WHERE "locale" IS NULL;
ALTER TABLE "users" ALTER COLUMN "locale" SET NOT NULL;
--- rollback
ALTER TABLE "users" ALTER COLUMN "locale" DROP NOT NULL;
--- users
INSERT INTO users (locale) VALUES ('fr');
