-- Rules: also, instead, with conditions and several statements; one of them disabled, one of a replica.
CREATE TABLE stock (id int PRIMARY KEY, state varchar(10), n int);
CREATE TABLE stock_log (id int, what varchar(20), at timestamptz DEFAULT now());
CREATE RULE logged AS ON UPDATE TO stock WHERE NEW.state IN ('sold', 'lost') DO ALSO
    (INSERT INTO stock_log (id, what) VALUES (NEW.id, 'gone'); UPDATE stock_log SET what = 'old' WHERE what IN ('a', 'b'));
CREATE RULE never AS ON DELETE TO stock DO INSTEAD NOTHING;
CREATE RULE away AS ON INSERT TO stock_log WHERE NEW.what IS NULL DO INSTEAD NOTHING;
ALTER TABLE stock DISABLE RULE never;
ALTER TABLE stock_log ENABLE REPLICA RULE away;
INSERT INTO stock VALUES (1, 'new', 1);
-- Fault: CREATE OR REPLACE RULE logged AS ON UPDATE TO stock WHERE NEW.state IN ('sold', 'Lost') DO ALSO (INSERT INTO stock_log (id, what) VALUES (NEW.id, 'gone'); UPDATE stock_log SET what = 'old' WHERE what IN ('a', 'b'))
-- Fault: ALTER TABLE stock ENABLE RULE never
-- Fault: ALTER TABLE stock_log ENABLE ALWAYS RULE away
-- Fault: CREATE OR REPLACE RULE away AS ON INSERT TO stock_log WHERE NEW.what IS NULL DO ALSO NOTHING
