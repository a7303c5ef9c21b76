-- How long values are kept.
-- Verdict: deployed
--- before
CREATE TABLE document (id int PRIMARY KEY, body text);
INSERT INTO document VALUES (1, repeat('long ', 2000));
--- apply
ALTER TABLE document ALTER COLUMN body SET STORAGE MAIN;
ALTER TABLE document SET (toast_tuple_target = 512, toast.autovacuum_enabled = off);
--- rollback
ALTER TABLE document RESET (toast_tuple_target, toast.autovacuum_enabled);
ALTER TABLE document ALTER COLUMN body SET STORAGE EXTENDED;
--- users
INSERT INTO document VALUES (2, repeat('longer ', 3000));
