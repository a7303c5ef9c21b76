-- Description: Writes, and then fails where it is not a copy
-- Requires: 001
ALTER TABLE orders ADD COLUMN note text DEFAULT '';
UPDATE orders SET paid = true;
DO $$
BEGIN
    IF current_database() NOT LIKE 'runbook\_copy\_%' THEN
        RAISE EXCEPTION 'only production says no';
    END IF;
END;
$$;
