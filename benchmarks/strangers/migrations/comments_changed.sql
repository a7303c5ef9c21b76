-- Comments, some new, some in the place of others.
-- Verdict: deployed
--- before
CREATE TABLE product (id int PRIMARY KEY, price numeric);
COMMENT ON TABLE product IS 'what we sell';
INSERT INTO product VALUES (1, 5);
--- apply
COMMENT ON TABLE product IS 'what we sell, or sold';
COMMENT ON COLUMN product.price IS 'with tax';
COMMENT ON CONSTRAINT product_pkey ON product IS 'by hand';
COMMENT ON INDEX product_pkey IS 'of the key';
--- rollback
COMMENT ON INDEX product_pkey IS NULL;
COMMENT ON CONSTRAINT product_pkey ON product IS NULL;
COMMENT ON COLUMN product.price IS NULL;
COMMENT ON TABLE product IS 'what we sell';
