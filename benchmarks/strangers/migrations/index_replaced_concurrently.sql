-- An index is replaced without keeping anybody out: a new one, the old one dropped, and the name taken over.
-- Verdict: deployed
--- before
CREATE TABLE event (id int PRIMARY KEY, kind text, at timestamptz);
CREATE INDEX event_kind ON event (kind);
INSERT INTO event SELECT n, 'k' || n % 3, '2026-01-01'::timestamptz + n * interval '1 s' FROM generate_series(1, 100) AS n;
--- apply
CREATE INDEX CONCURRENTLY event_kind_at ON event (kind, at);
DROP INDEX CONCURRENTLY event_kind;
--- rollback
CREATE INDEX CONCURRENTLY event_kind ON event (kind);
DROP INDEX CONCURRENTLY event_kind_at;
--- users
INSERT INTO event VALUES (101, 'k9', '2026-02-01');
