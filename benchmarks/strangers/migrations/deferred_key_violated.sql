-- Rows are moved under a key that is looked at only at COMMIT, and one of them is an orphan.
-- Verdict: refused deferred_constraint_violated
-- Names: entry_parent
--- before
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE entry (id int PRIMARY KEY, parent int CONSTRAINT entry_parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
INSERT INTO parent VALUES (1);
--- apply
INSERT INTO entry VALUES (1, 1), (2, 99);
--- rollback
DELETE FROM entry;
