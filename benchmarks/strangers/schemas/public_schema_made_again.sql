-- Schema public was dropped and made again, by another owner and without its comment.
DROP SCHEMA public; CREATE SCHEMA public AUTHORIZATION strangers_owner; GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE TABLE public.t (id int);
-- Fault: ALTER SCHEMA public OWNER TO pg_database_owner
-- Fault: COMMENT ON SCHEMA public IS 'standard public schema'
-- Fault: REVOKE CREATE ON SCHEMA public FROM PUBLIC
