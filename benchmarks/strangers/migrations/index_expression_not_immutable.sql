-- An index on what depends on the time zone.
-- Verdict: refused statement_failed
-- Names: functions in index expression must be marked IMMUTABLE
--- before
CREATE TABLE event (id int PRIMARY KEY, at timestamptz);
--- apply
CREATE INDEX event_day ON event ((at::date));
--- rollback
DROP INDEX event_day;
