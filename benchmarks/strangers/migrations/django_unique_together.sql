-- AlterUniqueTogether, after which the old constraint is gone.
-- Verdict: deployed
--- before
CREATE TABLE seat (id int PRIMARY KEY, room text NOT NULL, row_number int NOT NULL, number int NOT NULL, CONSTRAINT seat_room_number_uniq UNIQUE (room, number));
INSERT INTO seat VALUES (1, 'A', 1, 1), (2, 'A', 1, 2);
--- apply
ALTER TABLE "seat" DROP CONSTRAINT "seat_room_number_uniq";
ALTER TABLE "seat" ADD CONSTRAINT "seat_room_row_number_uniq" UNIQUE ("room", "row_number", "number");
--- rollback
ALTER TABLE "seat" DROP CONSTRAINT "seat_room_row_number_uniq";
ALTER TABLE "seat" ADD CONSTRAINT "seat_room_number_uniq" UNIQUE ("room", "number");
--- users
INSERT INTO seat VALUES (3, 'B', 2, 1);
