-- A generated column, stored, with an index on it.
-- Verdict: deployed
--- before
CREATE TABLE line (id int PRIMARY KEY, amount int NOT NULL, price numeric(8,2) NOT NULL);
INSERT INTO line VALUES (1, 2, 9.99), (2, 1, 100);
--- apply
ALTER TABLE line ADD COLUMN total numeric(12,2) GENERATED ALWAYS AS (amount * price) STORED;
CREATE INDEX line_total ON line (total);
--- rollback
ALTER TABLE line DROP COLUMN total;
--- users
INSERT INTO line VALUES (3, 7, 1.25);
UPDATE line SET amount = 5 WHERE id = 2;
