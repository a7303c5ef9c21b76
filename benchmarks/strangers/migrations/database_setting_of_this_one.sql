-- A setting of the database that the script runs in, whatever that is called.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '8MB'); END $$;
--- rollback
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET work_mem', current_database()); END $$;
