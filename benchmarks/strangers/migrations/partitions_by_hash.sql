-- A new table of four partitions by hash, with a key.
-- Verdict: deployed
--- before
CREATE TABLE customer (id int PRIMARY KEY);
INSERT INTO customer VALUES (1), (2);
--- apply
CREATE TABLE visit (customer_id int NOT NULL REFERENCES customer, at timestamptz NOT NULL, PRIMARY KEY (customer_id, at)) PARTITION BY HASH (customer_id);
DO $$
BEGIN
    FOR part IN 0..3 LOOP
        EXECUTE format('CREATE TABLE visit_%s PARTITION OF visit FOR VALUES WITH (MODULUS 4, REMAINDER %s)', part, part);
    END LOOP;
END $$;
--- rollback
DROP TABLE visit;
--- users
INSERT INTO visit VALUES (1, '2026-01-01'), (2, '2026-01-02'), (2, '2026-01-03');
