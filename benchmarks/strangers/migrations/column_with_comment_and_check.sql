-- A column with a check and a comment, by hand.
-- Verdict: deployed
--- before
CREATE TABLE product (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO product VALUES (1, 'apple'), (2, 'pear');
--- apply
-- Migration: 002_column_with_comment_and_check.sql
-- Description: Weight of a product, in grams
-- Risk Level: LOW
-- Data Loss: NONE
ALTER TABLE product ADD COLUMN grams integer CONSTRAINT grams_positive CHECK (grams > 0);
COMMENT ON COLUMN product.grams IS 'weight in grams; unknown where NULL';
--- rollback
ALTER TABLE product DROP COLUMN grams;
--- users
UPDATE product SET grams = 150 WHERE id = 1;
