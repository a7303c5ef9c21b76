-- Keys: deferrable, NULLS NOT DISTINCT, INCLUDE, with their own names and parameters, on an existing index.
CREATE TABLE k (a int, b text, c varchar(5), d int, e int,
    CONSTRAINT k_main PRIMARY KEY (a) INCLUDE (b), CONSTRAINT k_late UNIQUE (b, c) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE NULLS NOT DISTINCT (c, d), UNIQUE (d) WITH (fillfactor = 55));
CREATE UNIQUE INDEX k_e ON k (e DESC); CREATE UNIQUE INDEX k_e2 ON k (e);
ALTER TABLE k ADD CONSTRAINT k_used UNIQUE USING INDEX k_e2;
COMMENT ON CONSTRAINT k_main ON k IS 'the key'; COMMENT ON INDEX k_main IS 'its index';
INSERT INTO k VALUES (1, 'a', 'b', 1, 1);
-- Fault: ALTER TABLE k DROP CONSTRAINT k_late, ADD CONSTRAINT k_late UNIQUE (b, c) DEFERRABLE
-- Fault: ALTER TABLE k DROP CONSTRAINT k_c_d_key, ADD CONSTRAINT k_c_d_key UNIQUE (c, d)
-- Fault: ALTER TABLE k DROP CONSTRAINT k_main, ADD CONSTRAINT k_main PRIMARY KEY (a)
-- Fault: COMMENT ON INDEX k_main IS NULL
