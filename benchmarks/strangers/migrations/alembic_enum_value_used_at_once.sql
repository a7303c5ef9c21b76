-- A label is added and used in the same script, which PostgreSQL forbids in one transaction: they commit one by one.
-- Verdict: deployed
--- before
CREATE TYPE role AS ENUM ('user', 'admin');
CREATE TABLE member (id serial PRIMARY KEY, role role NOT NULL, boss boolean NOT NULL DEFAULT false);
INSERT INTO member (role, boss) VALUES ('user', false), ('admin', true);
--- apply
ALTER TYPE role ADD VALUE 'owner';
UPDATE member SET role = 'owner' WHERE boss;
--- rollback
-- Leaves: enum label role.owner
UPDATE member SET role = 'admin' WHERE role = 'owner';
--- users
INSERT INTO member (role) VALUES ('owner');
