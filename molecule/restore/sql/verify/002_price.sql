-- The receipt of apply is written after the checks that run before COMMIT: it is there only afterwards, and only in
-- production.
DO $$
DECLARE
    committed boolean := false;
BEGIN
    IF to_regclass('runbook.receipt') IS NOT NULL THEN
        SELECT EXISTS (SELECT FROM runbook.receipt WHERE step = 'apply' AND status = 'ok') INTO committed;
    END IF;
    IF committed THEN
        RAISE EXCEPTION 'the prices went missing after COMMIT';
    END IF;
END;
$$;
