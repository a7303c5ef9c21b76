-- A table that was unlogged to be loaded fast is made safe.
-- Verdict: deployed
--- before
CREATE UNLOGGED TABLE import (id int PRIMARY KEY, line text);
INSERT INTO import VALUES (1, 'a');
--- apply
ALTER TABLE import SET LOGGED;
--- rollback
ALTER TABLE import SET UNLOGGED;
--- users
INSERT INTO import VALUES (2, 'b');
