-- NOT NULL constraints with names, without inheritance, not valid, and inherited.
-- PostgreSQL: 18
CREATE TABLE base (id int CONSTRAINT id_there NOT NULL, a text NOT NULL NO INHERIT, b int, c int CONSTRAINT "C there" NOT NULL);
CREATE TABLE heir (d int CONSTRAINT d_there NOT NULL, c int CONSTRAINT mine_too NOT NULL) INHERITS (base);
-- Rows without NULL: PostgreSQL 18 dumps the child's NOT VALID constraint as a valid one, and cannot restore others.
INSERT INTO base VALUES (1, 'a', 1, 1); INSERT INTO heir VALUES (1, 'a', 1, 1, 1);
ALTER TABLE base ADD CONSTRAINT b_there NOT NULL b NOT VALID;
COMMENT ON CONSTRAINT id_there ON base IS 'must be';
CREATE TABLE root (k int PRIMARY KEY, v text CONSTRAINT v_there NOT NULL) PARTITION BY LIST (k);
CREATE TABLE leaf PARTITION OF root (v CONSTRAINT leaf_v NOT NULL) FOR VALUES IN (1);
CREATE TABLE leaf2 (k int CONSTRAINT k_named NOT NULL, v text NOT NULL);
ALTER TABLE root ATTACH PARTITION leaf2 FOR VALUES IN (2);
-- Fault: ALTER TABLE base RENAME CONSTRAINT id_there TO id_here
-- Fault: ALTER TABLE heir ALTER d DROP NOT NULL
-- Fault: DELETE FROM ONLY base; DELETE FROM heir; ALTER TABLE base VALIDATE CONSTRAINT b_there
-- Fault: COMMENT ON CONSTRAINT id_there ON base IS NULL
