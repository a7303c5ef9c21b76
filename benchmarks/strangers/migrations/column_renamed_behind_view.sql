-- A table gets another name, and a view with the old one for applications that do not know it yet.
-- Verdict: deployed
--- before
CREATE TABLE usr (id int PRIMARY KEY, nm text);
INSERT INTO usr VALUES (1, 'ada'), (2, 'grace');
--- apply
ALTER TABLE usr RENAME TO app_user;
ALTER TABLE app_user RENAME COLUMN nm TO name;
CREATE VIEW usr AS SELECT id, name AS nm FROM app_user;
--- rollback
DROP VIEW usr;
ALTER TABLE app_user RENAME COLUMN name TO nm;
ALTER TABLE app_user RENAME TO usr;
--- users
INSERT INTO usr VALUES (3, 'barbara');
UPDATE app_user SET name = 'Ada' WHERE id = 1;
