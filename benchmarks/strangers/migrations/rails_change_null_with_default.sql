-- change_column_null with a default for what is NULL: the way back permits NULL again, but what was NULL stays filled.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.users
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, locale varchar);
INSERT INTO users (locale) VALUES ('de'), (NULL);
--- apply
UPDATE "users" SET "locale" = 'en' WHERE "locale" IS NULL;
ALTER TABLE "users" ALTER COLUMN "locale" SET NOT NULL;
--- rollback
ALTER TABLE "users" ALTER COLUMN "locale" DROP NOT NULL;
