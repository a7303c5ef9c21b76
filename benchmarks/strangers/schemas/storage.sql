-- Storage, compression, statistics targets and options of columns, parameters of tables and of their TOAST tables.
-- PostgreSQL: 16
CREATE TABLE stored (a text STORAGE EXTERNAL COMPRESSION pglz, b text, c int, d jsonb)
    WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_vacuum_threshold = 500, toast_tuple_target = 2000, parallel_workers = 3);
ALTER TABLE stored ALTER b SET STORAGE MAIN, ALTER c SET STATISTICS 333, ALTER c SET (n_distinct = -0.5), ALTER d SET STORAGE EXTERNAL;
INSERT INTO stored VALUES (repeat('x', 9000), 'b', 1, '{}');
-- Fault: ALTER TABLE stored ALTER b SET STORAGE EXTENDED
-- Fault: ALTER TABLE stored ALTER c SET STATISTICS 334
-- Fault: ALTER TABLE stored ALTER c RESET (n_distinct)
-- Fault: ALTER TABLE stored SET (toast.autovacuum_vacuum_threshold = 501)
-- Fault: ALTER TABLE stored ALTER a SET COMPRESSION default
