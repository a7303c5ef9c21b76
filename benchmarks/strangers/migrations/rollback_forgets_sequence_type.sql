-- A sequence goes back to integer, and its greatest value does not.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.numbers
--- before
CREATE SEQUENCE numbers AS integer;
--- apply
ALTER SEQUENCE numbers AS bigint CACHE 20;
--- rollback
ALTER SEQUENCE numbers AS integer;
