-- A new enum and a column of it, with a default.
-- Verdict: deployed
--- before
CREATE TABLE ticket (id int PRIMARY KEY, urgent boolean NOT NULL);
INSERT INTO ticket VALUES (1, true), (2, false);
--- apply
CREATE TYPE severity AS ENUM ('minor', 'major', 'critical');
ALTER TABLE ticket ADD COLUMN severity severity NOT NULL DEFAULT 'minor';
UPDATE ticket SET severity = 'major' WHERE urgent;
--- rollback
ALTER TABLE ticket DROP COLUMN severity;
DROP TYPE severity;
--- users
INSERT INTO ticket VALUES (3, false, 'critical');
