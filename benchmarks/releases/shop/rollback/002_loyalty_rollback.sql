DROP VIEW turnover;
CREATE VIEW turnover AS SELECT customer_id, sum(amount) AS amount FROM purchase GROUP BY customer_id;
ALTER VIEW turnover OWNER TO shop_owner;
DROP TABLE purchase_2027;
DROP TABLE reward;
CREATE OR REPLACE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.mail := lower(NEW.mail);
    RETURN NEW;
END;
$$;
ALTER TABLE customer RENAME COLUMN email TO mail;
ALTER TABLE customer DROP COLUMN points;
