-- A function gets an argument with a default: CREATE OR REPLACE makes a second one, and the rollback forgets to drop it.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.greet(pg_catalog.text,pg_catalog.text)
--- before
CREATE FUNCTION greet(name text) RETURNS text LANGUAGE sql AS $$ SELECT 'Hello ' || name $$;
--- apply
CREATE OR REPLACE FUNCTION greet(name text, word text DEFAULT 'Hello') RETURNS text LANGUAGE sql AS $$ SELECT word || ' ' || name $$;
--- rollback
CREATE OR REPLACE FUNCTION greet(name text) RETURNS text LANGUAGE sql AS $$ SELECT 'Hello ' || name $$;
