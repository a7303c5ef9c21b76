-- A table without a key, with rows that are the same, which users change.
-- Verdict: deployed
--- before
CREATE TABLE sighting (bird text, place text);
INSERT INTO sighting VALUES ('heron', 'lake'), ('heron', 'lake'), ('owl', NULL);
--- apply
ALTER TABLE sighting ADD COLUMN seen date;
--- rollback
ALTER TABLE sighting DROP COLUMN seen;
--- users
UPDATE sighting SET seen = '2026-01-01' WHERE bird = 'owl';
INSERT INTO sighting VALUES ('wren', 'hedge', '2026-01-02');
