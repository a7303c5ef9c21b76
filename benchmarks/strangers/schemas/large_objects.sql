-- Large objects with content, owners, privileges and comments.
SELECT lo_from_bytea(70001, '\x00ff'), lo_from_bytea(70002, 'text'), lo_create(70003);
ALTER LARGE OBJECT 70002 OWNER TO strangers_owner; GRANT SELECT ON LARGE OBJECT 70001 TO strangers_reader;
COMMENT ON LARGE OBJECT 70003 IS 'empty';
CREATE TABLE points (id int, o oid); INSERT INTO points VALUES (1, 70001);
-- Fault: SELECT lo_put(70001, 0, '\x01')
-- Fault: ALTER LARGE OBJECT 70002 OWNER TO strangers_reader
-- Fault: COMMENT ON LARGE OBJECT 70003 IS 'full'
-- Fault: REVOKE SELECT ON LARGE OBJECT 70001 FROM strangers_reader
