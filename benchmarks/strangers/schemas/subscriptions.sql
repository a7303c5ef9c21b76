-- A subscription that never connected.
-- PostgreSQL: 16
CREATE TABLE got (id int PRIMARY KEY);
CREATE SUBSCRIPTION from_afar CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p, q WITH (connect = false, slot_name = NONE, enabled = false, binary = true, origin = none);
COMMENT ON SUBSCRIPTION from_afar IS 'far';
-- Fault: ALTER SUBSCRIPTION from_afar SET (binary = false)
-- Fault: ALTER SUBSCRIPTION from_afar CONNECTION 'host=127.0.0.1 port=2 dbname=x'
