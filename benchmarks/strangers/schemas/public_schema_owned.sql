-- Schema public has another owner and another comment.
ALTER SCHEMA public OWNER TO strangers_owner; COMMENT ON SCHEMA public IS 'ours'; CREATE TABLE public.t (id int);
-- Fault: ALTER SCHEMA public OWNER TO pg_database_owner
-- Fault: COMMENT ON SCHEMA public IS NULL
