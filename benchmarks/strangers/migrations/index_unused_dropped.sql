-- An index that nobody uses goes; the way back makes it as it was.
-- Verdict: deployed
--- before
CREATE TABLE event (id int PRIMARY KEY, kind text, payload jsonb);
CREATE INDEX event_payload ON event USING gin (payload jsonb_path_ops) WITH (fastupdate = off);
INSERT INTO event VALUES (1, 'a', '{"x": 1}');
--- apply
DROP INDEX event_payload;
--- rollback
CREATE INDEX event_payload ON event USING gin (payload jsonb_path_ops) WITH (fastupdate = off);
--- users
INSERT INTO event VALUES (2, 'b', '[1, 2]');
