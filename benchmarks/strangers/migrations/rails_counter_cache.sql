-- A counter cache, filled from the rows that it counts.
-- Verdict: deployed
--- before
CREATE TABLE posts (id bigserial PRIMARY KEY, title varchar);
CREATE TABLE comments (id bigserial PRIMARY KEY, post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE);
INSERT INTO posts (title) VALUES ('a'), ('b');
INSERT INTO comments (post_id) VALUES (1), (1), (2);
--- apply
ALTER TABLE "posts" ADD "comments_count" integer DEFAULT 0 NOT NULL;
UPDATE posts SET comments_count = (SELECT count(1) FROM comments WHERE comments.post_id = posts.id);
--- rollback
ALTER TABLE "posts" DROP COLUMN "comments_count";
--- users
INSERT INTO comments (post_id) VALUES (2);
UPDATE posts SET comments_count = comments_count + 1 WHERE id = 2;
