-- Bookings of a room may not overlap: a range column made from two dates, and an exclusion constraint.
-- Verdict: deployed
--- before
CREATE TABLE booking (id int PRIMARY KEY, first date NOT NULL, last date NOT NULL);
INSERT INTO booking VALUES (1, '2026-01-01', '2026-01-03'), (2, '2026-01-04', '2026-01-05');
--- apply
ALTER TABLE booking ADD COLUMN during daterange GENERATED ALWAYS AS (daterange(first, last, '[]')) STORED;
ALTER TABLE booking ADD CONSTRAINT booking_apart EXCLUDE USING gist (during WITH &&);
--- rollback
ALTER TABLE booking DROP CONSTRAINT booking_apart;
ALTER TABLE booking DROP COLUMN during;
--- users
INSERT INTO booking VALUES (3, '2026-02-01', '2026-02-02');
