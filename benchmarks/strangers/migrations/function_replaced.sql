-- The body of a function is corrected; the way back has the old one, with all that it was declared as.
-- Verdict: deployed
--- before
CREATE FUNCTION tax(amount numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS $$
BEGIN
    RETURN amount * 0.19;
END $$;
COMMENT ON FUNCTION tax(numeric) IS 'of 2025';
--- apply
CREATE OR REPLACE FUNCTION tax(amount numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS $$
BEGIN
    RETURN round(amount * 0.21, 2);
END $$;
--- rollback
CREATE OR REPLACE FUNCTION tax(amount numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS $$
BEGIN
    RETURN amount * 0.19;
END $$;
