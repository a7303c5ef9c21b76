BEGIN;
CREATE TABLE customers (
    id   bigint PRIMARY KEY,
    name text NOT NULL -- a name; with a semicolon in its comment
);
/* another; comment /* nested; */ ; */
COMMIT;

DO $$
BEGIN
    INSERT INTO customers SELECT n, 'Customer; ' || n FROM generate_series(1, 3) n;
END;
$$;
