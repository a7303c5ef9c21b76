SELECT count(*) > 0, 'there are no orders' FROM orders;

DO $$
DECLARE
    committed boolean := false;
BEGIN
    -- Once the rollback has dropped the table, the application works again.
    IF to_regclass('parcels') IS NOT NULL AND to_regclass('runbook.receipt') IS NOT NULL THEN
        SELECT EXISTS (SELECT FROM runbook.receipt WHERE step = 'apply' AND migration = '005') INTO committed;
    END IF;
    IF committed THEN
        RAISE EXCEPTION 'the parcels cannot be shipped';
    END IF;
END;
$$;
