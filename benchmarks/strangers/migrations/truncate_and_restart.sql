-- A table of derived rows is emptied and filled anew, with numbers from 1; the way back does the same by the old rule.
-- Verdict: deployed
--- before
CREATE TABLE sale (id int PRIMARY KEY, region text, amount int);
INSERT INTO sale VALUES (1, 'a', 5), (2, 'b', 6), (3, 'a', 7);
CREATE TABLE total (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, region text, amount int);
INSERT INTO total (region, amount) SELECT region, sum(amount) FROM sale GROUP BY region ORDER BY region;
--- apply
TRUNCATE total RESTART IDENTITY;
INSERT INTO total (region, amount) SELECT region, max(amount) FROM sale GROUP BY region ORDER BY region;
--- rollback
TRUNCATE total RESTART IDENTITY;
INSERT INTO total (region, amount) SELECT region, sum(amount) FROM sale GROUP BY region ORDER BY region;
