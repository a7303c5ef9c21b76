-- The comment of schema public was taken away.
COMMENT ON SCHEMA public IS NULL; CREATE TABLE public.t (id int);
-- Fault: COMMENT ON SCHEMA public IS 'x'
