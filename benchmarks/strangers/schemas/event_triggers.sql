-- Event triggers, one of them disabled.
CREATE FUNCTION heard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER made ON ddl_command_end WHEN TAG IN ('CREATE CAST', 'DROP CAST') EXECUTE FUNCTION heard();
CREATE EVENT TRIGGER rewritten ON table_rewrite EXECUTE FUNCTION heard();
ALTER EVENT TRIGGER rewritten DISABLE;
COMMENT ON EVENT TRIGGER made IS 'hears';
-- Fault: ALTER EVENT TRIGGER rewritten ENABLE
-- Fault: DROP EVENT TRIGGER made
