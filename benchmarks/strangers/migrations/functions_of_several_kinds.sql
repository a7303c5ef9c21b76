-- A function with a body of SQL, a procedure, an aggregate and an operator.
-- Verdict: deployed
--- before
CREATE TABLE sale (id int PRIMARY KEY, amount int NOT NULL);
INSERT INTO sale VALUES (1, 5), (2, 6);
--- apply
CREATE FUNCTION sale_total(lowest int DEFAULT 0) RETURNS bigint LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT coalesce(sum(amount), 0) FROM sale WHERE amount >= lowest; END;
CREATE PROCEDURE sell(key int, pieces int) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sale VALUES (key, pieces);
    COMMIT;
END $$;
CREATE FUNCTION add_squared(state bigint, value int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT state + value * value';
CREATE AGGREGATE sum_of_squares(int) (SFUNC = add_squared, STYPE = bigint, INITCOND = '0');
CREATE OPERATOR #+ (LEFTARG = bigint, RIGHTARG = int, FUNCTION = add_squared);
--- rollback
DROP OPERATOR #+ (bigint, int);
DROP AGGREGATE sum_of_squares(int);
DROP FUNCTION add_squared(bigint, int);
DROP PROCEDURE sell(int, int);
DROP FUNCTION sale_total(int);
--- users
INSERT INTO sale VALUES (3, 7);
