-- Columns that came to a parent when it had children already: a restore puts them before the children's own.
CREATE TABLE base (id int, name text);
CREATE TABLE heir (own text, other int) INHERITS (base);
ALTER TABLE base ADD late varchar(5) DEFAULT 'q' CHECK (late IN ('q', 'r'));
INSERT INTO heir VALUES (1, 'n', 'o', 2), (2, NULL, 'p', 3);
CREATE VIEW heirs AS SELECT * FROM heir WHERE late IN ('q', 'r');
-- Fault: ALTER TABLE heir ALTER late SET DEFAULT 'r'
-- Fault: UPDATE heir SET own = late, late = 'r'
-- Fault: ALTER TABLE heir DROP other CASCADE
