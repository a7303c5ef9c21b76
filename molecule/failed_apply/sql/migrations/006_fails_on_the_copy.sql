-- Description: Fails on the copy, and would not in production
-- Requires: 001
CREATE TABLE returns (id bigint PRIMARY KEY);
DO $$
BEGIN
    IF current_database() LIKE 'runbook\_copy\_%' THEN
        RAISE EXCEPTION 'the copy says no';
    END IF;
END;
$$;
