-- Names with capitals, spaces, quotes and dots, a semicolon in a string, a comment in a comment.
-- Verdict: deployed
--- before
CREATE TABLE "Order Items" ("Id" int PRIMARY KEY, "Qty;" int);
INSERT INTO "Order Items" VALUES (1, 5);
--- apply
/* Adds a column; /* and this is a comment in it; */ still one */
ALTER TABLE "Order Items" ADD COLUMN "a.b ""c""" text DEFAULT 'it''s; -- not a comment' NOT NULL;
CREATE TABLE "naïve Straße" ("größe" numeric CHECK ("größe" > 0), "select" text DEFAULT $q$a;b$q$);
--- rollback
DROP TABLE "naïve Straße";
ALTER TABLE "Order Items" DROP COLUMN "a.b ""c""";
--- users
INSERT INTO "Order Items" VALUES (2, 6, '"');
INSERT INTO "naïve Straße" VALUES (1.5), (2);
