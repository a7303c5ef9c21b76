-- Enums with labels added, renamed and quoted; used in arrays, checks, defaults and partitions.
CREATE TYPE mood AS ENUM ('calm', 'tense', 'it''s "odd"');
ALTER TYPE mood ADD VALUE 'first' BEFORE 'calm';
-- Next transaction
ALTER TYPE mood RENAME VALUE 'tense' TO 'nervous';
CREATE TABLE felt (id int, m mood DEFAULT 'calm' CHECK (m IN ('calm', 'nervous')), all_of mood[] DEFAULT '{calm}') PARTITION BY LIST (m);
CREATE TABLE felt_calm PARTITION OF felt FOR VALUES IN ('calm', 'first');
INSERT INTO felt VALUES (1, 'calm');
-- Fault: ALTER TYPE mood ADD VALUE 'last'
-- Fault: ALTER TYPE mood RENAME VALUE 'first' TO 'First'
-- Fault: ALTER TABLE felt ALTER m SET DEFAULT 'nervous'
