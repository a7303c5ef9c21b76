-- Names with quotes, dots, keywords, blanks, other alphabets and 63 bytes.
CREATE SCHEMA "select"; CREATE SCHEMA "Odd ""schema"". ON x";
CREATE TABLE "select"."table" ("from" varchar(5) PRIMARY KEY CHECK ("from" IN ('a', 'b')), "a.b" int, "ON x USING" int, "ж" text);
CREATE INDEX "index ON y" ON "select"."table" ("a.b", "ON x USING") WHERE "from" IN ('a', 'b');
CREATE TABLE "Odd ""schema"". ON x"." t "" ON u " (id varchar(5) REFERENCES "select"."table" ON DELETE CASCADE, s varchar(3));
CREATE INDEX " i ON "" " ON "Odd ""schema"". ON x"." t "" ON u " ((s IN ('x', 'y'))) WHERE s IN ('x', 'y');
CREATE FUNCTION "select"."a ""b"""() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "tr ON ""x""" BEFORE UPDATE OF s ON "Odd ""schema"". ON x"." t "" ON u " FOR EACH ROW WHEN (NEW.s IN ('x', 'y')) EXECUTE FUNCTION "select"."a ""b"""(' ON ', 'x');
CREATE RULE "ru ON" AS ON UPDATE TO "Odd ""schema"". ON x"." t "" ON u " WHERE NEW.s IN ('x', 'y') DO ALSO NOTHING;
CREATE POLICY "po ON" ON "Odd ""schema"". ON x"." t "" ON u " USING (s IN ('x', 'y'));
CREATE STATISTICS "select"."st ON" ON (s IN ('x', 'y')), id FROM "Odd ""schema"". ON x"." t "" ON u ";
CREATE VIEW "select"."where" AS SELECT "from" AS "as", "a.b" FROM "select"."table" WHERE "from" IN ('a', 'b');
CREATE TABLE abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk varchar(2) CHECK (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk IN ('a', 'b')) UNIQUE);
INSERT INTO "select"."table" VALUES ('a', 1, 2, 'x');
-- Fault: DROP INDEX "select"."index ON y"; CREATE INDEX "index ON y" ON "select"."table" ("a.b", "ON x USING") WHERE "from" IN ('a', 'c')
-- Fault: DROP INDEX "Odd ""schema"". ON x"." i ON "" "; CREATE INDEX " i ON "" " ON "Odd ""schema"". ON x"." t "" ON u " ((s IN ('x', 'y'))) WHERE s IN ('x', 'z')
-- Fault: DROP TRIGGER "tr ON ""x""" ON "Odd ""schema"". ON x"." t "" ON u "; CREATE TRIGGER "tr ON ""x""" BEFORE UPDATE OF s ON "Odd ""schema"". ON x"." t "" ON u " FOR EACH ROW WHEN (NEW.s IN ('x', 'z')) EXECUTE FUNCTION "select"."a ""b"""(' ON ', 'x')
-- Fault: ALTER POLICY "po ON" ON "Odd ""schema"". ON x"." t "" ON u " USING (s IN ('x', 'z'))
-- Fault: CREATE OR REPLACE VIEW "select"."where" AS SELECT "from" AS "as", "a.b" FROM "select"."table" WHERE "from" IN ('a', 'c')
