-- Expressions and predicates of indexes with lists and casts.
CREATE TABLE item (id int PRIMARY KEY, state varchar(20), name varchar(50), price numeric(8, 2));
CREATE INDEX item_open ON item (id) WHERE state IN ('open', 'new');
CREATE UNIQUE INDEX item_name ON item (lower(name), (state IN ('open', 'new')));
CREATE INDEX item_price ON item ((price * 1.19) DESC NULLS LAST, name varchar_pattern_ops) WITH (fillfactor = 70);
INSERT INTO item VALUES (1, 'open', 'A', 1.5), (2, 'new', 'B', 2);
-- Fault: DROP INDEX item_open; CREATE INDEX item_open ON item (id) WHERE state IN ('open', 'old')
-- Fault: DROP INDEX item_name; CREATE UNIQUE INDEX item_name ON item (lower(name), (state IN ('open', 'x')))
-- Fault: ALTER INDEX item_price SET (fillfactor = 71)
-- Fault: DROP INDEX item_price; CREATE INDEX item_price ON item ((price * 1.19) DESC, name varchar_pattern_ops) WITH (fillfactor = 70)
