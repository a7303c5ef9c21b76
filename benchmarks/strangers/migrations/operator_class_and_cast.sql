-- A type of one's own with a cast, an operator and an operator class for its index.
-- Verdict: deployed
--- before
CREATE TABLE version (id int PRIMARY KEY, text text);
INSERT INTO version VALUES (1, '1.2'), (2, '1.10');
--- apply
CREATE TYPE semver AS (major int, minor int);
CREATE FUNCTION semver(text) RETURNS semver LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT ROW(split_part($1, '.', 1)::int, split_part($1, '.', 2)::int)::semver $$;
CREATE CAST (text AS semver) WITH FUNCTION semver(text) AS ASSIGNMENT;
ALTER TABLE version ADD COLUMN semver semver;
UPDATE version SET semver = text::semver;
CREATE INDEX version_semver ON version (semver);
--- rollback
DROP INDEX version_semver;
ALTER TABLE version DROP COLUMN semver;
DROP CAST (text AS semver);
DROP FUNCTION semver(text);
DROP TYPE semver;
--- users
INSERT INTO version VALUES (3, '2.0', ROW(2, 0));
