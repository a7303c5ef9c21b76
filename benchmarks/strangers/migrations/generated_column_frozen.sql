-- A generated column becomes an ordinary one, which people then overwrite.
-- Verdict: deployed
--- before
CREATE TABLE line (id int PRIMARY KEY, amount int NOT NULL, doubled int GENERATED ALWAYS AS (amount * 2) STORED);
INSERT INTO line VALUES (1, 2), (2, 3);
--- apply
ALTER TABLE line ALTER COLUMN doubled DROP EXPRESSION;
--- rollback
ALTER TABLE line DROP COLUMN doubled;
ALTER TABLE line ADD COLUMN doubled int GENERATED ALWAYS AS (amount * 2) STORED;
--- users
UPDATE line SET doubled = 99 WHERE id = 1;
INSERT INTO line VALUES (3, 1, 7);
