-- The rollback has the old body, and forgets that the function was STRICT and IMMUTABLE.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.tax(numeric)
--- before
CREATE FUNCTION tax(amount numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS 'SELECT amount * 0.19';
--- apply
CREATE OR REPLACE FUNCTION tax(amount numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS 'SELECT amount * 0.21';
--- rollback
CREATE OR REPLACE FUNCTION tax(amount numeric) RETURNS numeric LANGUAGE sql AS 'SELECT amount * 0.19';
