-- Full text search: a configuration of one's own, a generated tsvector and an index.
-- Verdict: deployed
--- before
CREATE TABLE article (id int PRIMARY KEY, title text NOT NULL, body text NOT NULL);
INSERT INTO article VALUES (1, 'Running', 'He runs and ran.'), (2, 'Cafés', 'Coffee');
--- apply
CREATE TEXT SEARCH CONFIGURATION plain_english (COPY = english);
ALTER TEXT SEARCH CONFIGURATION plain_english ALTER MAPPING FOR asciiword WITH simple;
ALTER TABLE article ADD COLUMN search tsvector
    GENERATED ALWAYS AS (setweight(to_tsvector('plain_english', title), 'A') || to_tsvector('plain_english', body)) STORED;
CREATE INDEX article_search ON article USING gin (search);
--- rollback
ALTER TABLE article DROP COLUMN search;
DROP TEXT SEARCH CONFIGURATION plain_english;
--- users
INSERT INTO article VALUES (3, 'Tea', 'Leaves');
