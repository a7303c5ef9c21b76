-- Storage parameters, a statistics target, a column's storage, replica identity, and a statistics object.
-- Verdict: deployed
--- before
CREATE TABLE event (id int PRIMARY KEY, kind text, region text, payload text);
INSERT INTO event VALUES (1, 'a', 'x', 'p');
--- apply
ALTER TABLE event SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE event ALTER COLUMN kind SET STATISTICS 500;
ALTER TABLE event ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE event REPLICA IDENTITY FULL;
CREATE STATISTICS event_kind_region (dependencies, ndistinct) ON kind, region FROM event;
--- rollback
DROP STATISTICS event_kind_region;
ALTER TABLE event REPLICA IDENTITY DEFAULT;
ALTER TABLE event ALTER COLUMN payload SET STORAGE EXTENDED;
ALTER TABLE event ALTER COLUMN kind SET STATISTICS -1;
ALTER TABLE event RESET (fillfactor, autovacuum_vacuum_scale_factor);
--- users
INSERT INTO event VALUES (2, 'b', 'y', repeat('long', 1000));
