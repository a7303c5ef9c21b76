-- Only one active subscription of each person: a partial unique index.
-- Verdict: deployed
--- before
CREATE TABLE subscription (id int PRIMARY KEY, person int NOT NULL, active boolean NOT NULL);
INSERT INTO subscription VALUES (1, 1, true), (2, 1, false), (3, 1, false), (4, 2, true);
--- apply
CREATE UNIQUE INDEX subscription_one_active ON subscription (person) WHERE active;
--- rollback
DROP INDEX subscription_one_active;
--- users
INSERT INTO subscription VALUES (5, 3, true);
