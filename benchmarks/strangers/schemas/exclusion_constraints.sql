-- Exclusion constraints with predicates, operators, several columns, deferrable.
-- Needs: extension btree_gist
CREATE EXTENSION btree_gist;
CREATE TABLE booking (id int, room varchar(5), during tsrange, state varchar(9), area box,
    CONSTRAINT once EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (state IN ('firm', 'paid')) DEFERRABLE INITIALLY DEFERRED,
    EXCLUDE USING gist (area WITH &&, (lower(room)) WITH =) INCLUDE (id) WITH (fillfactor = 80));
INSERT INTO booking VALUES (1, 'a', '[2020-01-01,2020-01-02)', 'firm', '(0,0),(1,1)');
-- Fault: ALTER TABLE booking DROP CONSTRAINT once, ADD CONSTRAINT once EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (state IN ('firm', 'Paid')) DEFERRABLE INITIALLY DEFERRED
-- Fault: ALTER TABLE booking DROP CONSTRAINT once
