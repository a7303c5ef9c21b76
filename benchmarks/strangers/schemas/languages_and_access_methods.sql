-- A language and access methods made by hand.
CREATE FUNCTION handled() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION inlined(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE TRUSTED LANGUAGE plcopied HANDLER handled INLINE inlined;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD btree_again TYPE INDEX HANDLER bthandler;
CREATE FUNCTION spoken() RETURNS int LANGUAGE plcopied AS 'BEGIN RETURN 1; END';
GRANT USAGE ON LANGUAGE plcopied TO strangers_reader;
CREATE TABLE stored (id int, s varchar(4)) USING heap_again;
COMMENT ON ACCESS METHOD heap_again IS 'heap'; COMMENT ON LANGUAGE plcopied IS 'copied';
INSERT INTO stored VALUES (1, 'a');
-- Fault: ALTER TABLE stored SET ACCESS METHOD heap
-- Fault: REVOKE USAGE ON LANGUAGE plcopied FROM strangers_reader
