-- Extended statistics: kinds, expressions with lists, targets.
CREATE TABLE s (a int, b varchar(9), c numeric, d date);
CREATE STATISTICS s_some (ndistinct, mcv) ON a, b FROM s;
CREATE STATISTICS s_expr ON (b IN ('x', 'y')), (a % 3), c FROM s;
CREATE STATISTICS s_one ON (date_trunc('month', d::timestamp)) FROM s;
ALTER STATISTICS s_some SET STATISTICS 77; COMMENT ON STATISTICS s_some IS 'some';
INSERT INTO s VALUES (1, 'x', 1, '2020-01-01');
-- Fault: DROP STATISTICS s_expr; CREATE STATISTICS s_expr ON (b IN ('x', 'z')), (a % 3), c FROM s
-- Fault: ALTER STATISTICS s_some SET STATISTICS 78
-- Fault: DROP STATISTICS s_some; CREATE STATISTICS s_some (ndistinct) ON a, b FROM s; ALTER STATISTICS s_some SET STATISTICS 77
