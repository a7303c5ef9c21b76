-- Numbers change places under a constraint that waits for COMMIT, and the table is altered while it waits.
-- Verdict: refused statement_failed
-- Names: cannot ALTER TABLE "page" because it has pending trigger events
-- Names: line 3
--- before
CREATE TABLE page (id int PRIMARY KEY, place int NOT NULL CONSTRAINT page_place UNIQUE DEFERRABLE, name text);
INSERT INTO page VALUES (1, 1, 'cover'), (2, 2, 'index'), (3, 3, 'body');
--- apply
SET CONSTRAINTS ALL DEFERRED;
UPDATE page SET place = 4 - place;
ALTER TABLE page ADD COLUMN printed boolean NOT NULL DEFAULT false;
--- rollback
SET CONSTRAINTS page_place DEFERRED;
UPDATE page SET place = 4 - place;
ALTER TABLE page DROP COLUMN printed;
