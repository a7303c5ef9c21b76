-- Numbers change places under constraints that wait for COMMIT.
-- Verdict: deployed
--- before
CREATE TABLE page (id int PRIMARY KEY, place int NOT NULL CONSTRAINT page_place UNIQUE DEFERRABLE, name text);
INSERT INTO page VALUES (1, 1, 'cover'), (2, 2, 'index'), (3, 3, 'body');
--- apply
ALTER TABLE page ADD COLUMN printed boolean NOT NULL DEFAULT false;
SET CONSTRAINTS ALL DEFERRED;
UPDATE page SET place = 4 - place;
--- rollback
SET CONSTRAINTS page_place DEFERRED;
UPDATE page SET place = 4 - place;
SET CONSTRAINTS page_place IMMEDIATE;
ALTER TABLE page DROP COLUMN printed;
--- users
UPDATE page SET printed = true WHERE id = 1;
