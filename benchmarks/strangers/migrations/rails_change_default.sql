-- change_column_default from one value to another, and back.
-- Verdict: deployed
--- before
CREATE TABLE posts (id bigserial PRIMARY KEY, state varchar DEFAULT 'draft' NOT NULL);
INSERT INTO posts (state) VALUES ('draft'), ('published');
--- apply
ALTER TABLE "posts" ALTER COLUMN "state" SET DEFAULT 'review';
--- rollback
ALTER TABLE "posts" ALTER COLUMN "state" SET DEFAULT 'draft';
--- users
INSERT INTO posts DEFAULT VALUES;
