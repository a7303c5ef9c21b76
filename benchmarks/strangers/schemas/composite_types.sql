-- Composite types, of composite types, arrays of them, and tables made OF them.
CREATE TYPE inner_type AS (x int, label varchar(5));
CREATE TYPE outer_type AS (i inner_type, many inner_type[], at timestamptz);
CREATE TABLE holds (id int PRIMARY KEY, o outer_type, all_of outer_type[], CHECK ((o).i.x > 0 AND ((o).i).label IN ('a', 'b')));
CREATE TABLE typed OF inner_type (x WITH OPTIONS PRIMARY KEY, label WITH OPTIONS DEFAULT 'z' CHECK (label IN ('y', 'z')));
CREATE TABLE of_table (t typed, ts typed[]);
COMMENT ON TYPE inner_type IS 'inside'; COMMENT ON COLUMN inner_type.x IS 'an x';
INSERT INTO holds VALUES (1, ROW(ROW(1, 'a'), '{}', '2020-01-01'), NULL); INSERT INTO typed VALUES (1); INSERT INTO of_table SELECT t, ARRAY[t] FROM typed t;
-- Fault: ALTER TABLE holds DROP CONSTRAINT holds_o_check
-- Fault: ALTER TABLE typed NOT OF
-- Fault: COMMENT ON COLUMN inner_type.x IS NULL
-- Fault: ALTER TABLE typed ALTER label DROP DEFAULT
