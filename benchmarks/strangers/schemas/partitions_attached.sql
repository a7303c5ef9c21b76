-- Partitions that were tables of their own, with keys and indexes that were there before, and columns in another order.
CREATE TABLE event (id bigint, at timestamptz NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_old (note text, at timestamptz NOT NULL, id bigint NOT NULL, PRIMARY KEY (id, at));
ALTER TABLE event ATTACH PARTITION event_old FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE event_new (LIKE event INCLUDING ALL);
ALTER TABLE event ATTACH PARTITION event_new FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
CREATE INDEX event_note ON event (lower(note));
INSERT INTO event VALUES (1, '2010-01-01', 'a'), (2, '2030-01-01', 'b');
-- Fault: ALTER TABLE event_old ADD UNIQUE (note, at)
-- Fault: ALTER TABLE event DETACH PARTITION event_new
