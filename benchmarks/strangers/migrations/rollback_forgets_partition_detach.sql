-- The rollback detaches the partition that it should drop.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.event_2026_02
--- before
CREATE TABLE event (id int, at date NOT NULL) PARTITION BY RANGE (at);
--- apply
CREATE TABLE event_2026_02 PARTITION OF event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
--- rollback
ALTER TABLE event DETACH PARTITION event_2026_02;
