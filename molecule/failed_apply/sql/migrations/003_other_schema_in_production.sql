-- Description: Makes one index more where it is not a copy
-- Requires: 001
ALTER TABLE orders ADD COLUMN note text;
DO $$
BEGIN
    IF current_database() NOT LIKE 'runbook\_copy\_%' THEN
        CREATE INDEX orders_of_production ON orders (note);
    END IF;
END;
$$;
