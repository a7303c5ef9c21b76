-- Old rows go to an archive in one statement, and back.
-- Verdict: deployed
--- before
CREATE TABLE log (id int PRIMARY KEY, at date NOT NULL, line text);
INSERT INTO log VALUES (1, '2020-01-01', 'old'), (2, '2026-01-01', 'new');
--- apply
CREATE TABLE log_archive (LIKE log INCLUDING ALL);
WITH gone AS (DELETE FROM log WHERE at < '2025-01-01' RETURNING *)
INSERT INTO log_archive SELECT * FROM gone;
--- rollback
INSERT INTO log SELECT * FROM log_archive;
DROP TABLE log_archive;
--- users
INSERT INTO log VALUES (3, '2026-02-02', 'newer');
UPDATE log_archive SET line = 'very old' WHERE id = 1;
