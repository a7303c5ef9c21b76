-- A publication for the data warehouse.
-- Verdict: deployed
--- before
CREATE TABLE sale (id int PRIMARY KEY, amount int);
CREATE TABLE secret (id int PRIMARY KEY);
INSERT INTO sale VALUES (1, 5);
--- apply
CREATE PUBLICATION warehouse FOR TABLE sale WHERE (amount > 0) WITH (publish = 'insert, update');
--- rollback
DROP PUBLICATION warehouse;
--- users
INSERT INTO sale VALUES (2, 6);
