-- A view gets one column more, which CREATE OR REPLACE does; on the way back it has to be dropped, and what stands on it.
-- Verdict: deployed
--- before
CREATE TABLE sale (id int PRIMARY KEY, region text, amount int, sold date);
CREATE VIEW sale_north AS SELECT id, amount FROM sale WHERE region = 'north';
CREATE VIEW sale_north_total AS SELECT sum(amount) AS total FROM sale_north;
COMMENT ON VIEW sale_north IS 'what the north sold';
INSERT INTO sale VALUES (1, 'north', 5, '2026-01-01'), (2, 'south', 6, '2026-01-02');
--- apply
CREATE OR REPLACE VIEW sale_north AS SELECT id, amount, sold FROM sale WHERE region = 'north';
--- rollback
DROP VIEW sale_north_total;
DROP VIEW sale_north;
CREATE VIEW sale_north AS SELECT id, amount FROM sale WHERE region = 'north';
COMMENT ON VIEW sale_north IS 'what the north sold';
CREATE VIEW sale_north_total AS SELECT sum(amount) AS total FROM sale_north;
