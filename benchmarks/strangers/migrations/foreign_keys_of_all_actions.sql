-- A tree, a composite key and each action that a key can have.
-- Verdict: deployed
--- before
CREATE TABLE site (country text, number int, PRIMARY KEY (country, number));
CREATE TABLE owner (id int PRIMARY KEY);
INSERT INTO site VALUES ('fr', 1), ('de', 1);
INSERT INTO owner VALUES (0), (1);
--- apply
CREATE TABLE node (
    id int PRIMARY KEY,
    parent int REFERENCES node ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE,
    country text, site int,
    owner_id int DEFAULT 0 REFERENCES owner ON DELETE SET DEFAULT,
    FOREIGN KEY (country, site) REFERENCES site ON DELETE SET NULL (site) ON UPDATE CASCADE
);
--- rollback
DROP TABLE node;
--- users
INSERT INTO node VALUES (1, NULL, 'fr', 1, 1), (2, 1, 'de', 1, 0), (3, 2, NULL, NULL, 1);
DELETE FROM site WHERE country = 'fr';
DELETE FROM owner WHERE id = 1;
