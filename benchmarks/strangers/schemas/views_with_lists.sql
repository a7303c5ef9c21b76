-- Views, one on the other, with lists, subqueries, USING, GROUPING SETS and windows.
CREATE TABLE book (id int PRIMARY KEY, state varchar(9), author int, sold numeric, at timestamptz);
CREATE TABLE author (author int PRIMARY KEY, name varchar(99));
CREATE VIEW fresh AS SELECT id, state FROM book WHERE state IN ('new', 'used') AND at > now() - interval '1 day';
CREATE VIEW fresher (number, what) AS SELECT f.id, f.state FROM fresh f WHERE f.state NOT IN ('used', 'x');
CREATE VIEW joined AS SELECT * FROM book JOIN author USING (author);
CREATE VIEW sums AS SELECT state, author, sum(sold) FILTER (WHERE state IN ('new', 'used')) AS total,
    rank() OVER (PARTITION BY state ORDER BY sum(sold) DESC) FROM book GROUP BY GROUPING SETS ((state, author), ());
CREATE VIEW listed AS SELECT *, ROW_NUMBER() OVER w FROM (VALUES (1, 'a'::varchar), (2, 'b')) AS v(n, word)
    WINDOW w AS (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
CREATE VIEW exist AS SELECT a.name FROM author a WHERE EXISTS (SELECT FROM book b WHERE b.author = a.author
    AND b.state = ANY (ARRAY['new', 'used']::varchar[])) OR a.name LIKE ANY (ARRAY['a%', 'b%']);
INSERT INTO author VALUES (1, 'a'); INSERT INTO book VALUES (1, 'new', 1, 5, '2020-01-01');
-- Fault: CREATE OR REPLACE VIEW fresh AS SELECT id, state FROM book WHERE state IN ('new', 'Used') AND at > now() - interval '1 day'
-- Fault: CREATE OR REPLACE VIEW exist AS SELECT a.name FROM author a WHERE a.name LIKE ANY (ARRAY['a%', 'b%'])
-- Fault: DROP VIEW fresher
