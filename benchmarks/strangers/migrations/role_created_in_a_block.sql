-- The same in the block that everybody copies: only when it runs is seen what it does.
-- Verdict: refused statement_forbidden
-- Names: strangers_reporting
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'strangers_reporting') THEN
        CREATE ROLE strangers_reporting NOLOGIN;
    END IF;
END $$;
GRANT SELECT ON note TO strangers_reporting;
--- rollback
REVOKE SELECT ON note FROM strangers_reporting;
DO $$ BEGIN EXECUTE 'DROP ROLE strangers_reporting'; END $$;
