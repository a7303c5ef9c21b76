DO $$
BEGIN
    IF current_database() LIKE 'shop%' THEN
        RAISE EXCEPTION 'the rollback fails in production';
    END IF;
END;
$$;
ALTER TABLE orders DROP COLUMN price;
