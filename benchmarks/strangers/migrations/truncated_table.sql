-- Sessions are emptied, and nobody misses them, as the header says.
-- Verdict: consent accept_data_loss=true, rehearsal_rollback_data_differs without it
-- Names: public.session
--- before
CREATE TABLE session (id uuid PRIMARY KEY, data jsonb);
INSERT INTO session VALUES ('00000000-0000-4000-8000-000000000001', '{}');
--- apply
-- Data Loss: COMPLETE: all sessions
TRUNCATE session;
ALTER TABLE session ADD COLUMN expires timestamptz NOT NULL;
--- rollback
ALTER TABLE session DROP COLUMN expires;
--- users
INSERT INTO session VALUES ('00000000-0000-4000-8000-000000000002', '{"a": 1}', '2026-05-05');
