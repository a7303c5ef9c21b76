-- Paths of a tree, computed by a recursive query.
-- Verdict: deployed
--- before
CREATE TABLE node (id int PRIMARY KEY, parent int REFERENCES node, name text NOT NULL);
INSERT INTO node VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 2, 'b');
--- apply
ALTER TABLE node ADD COLUMN path text;
WITH RECURSIVE paths AS (
    SELECT id, name AS path FROM node WHERE parent IS NULL
    UNION ALL
    SELECT n.id, p.path || '/' || n.name FROM node AS n JOIN paths AS p ON p.id = n.parent
)
UPDATE node SET path = paths.path FROM paths WHERE paths.id = node.id;
ALTER TABLE node ALTER COLUMN path SET NOT NULL;
--- rollback
ALTER TABLE node DROP COLUMN path;
--- users
INSERT INTO node VALUES (4, 3, 'c', 'root/a/b/c');
