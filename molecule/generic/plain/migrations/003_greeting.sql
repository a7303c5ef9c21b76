CREATE FUNCTION greeting(name text) RETURNS text LANGUAGE plpgsql AS $greeting$
DECLARE
    -- COMMIT; in a comment of a body is no end of anything
    pattern text := $$Dear; "$1"$$;
BEGIN
    RETURN replace(pattern, '$1', name);
END;
$greeting$;
CREATE FUNCTION order_count() RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT count(*) FROM orders;
END;
