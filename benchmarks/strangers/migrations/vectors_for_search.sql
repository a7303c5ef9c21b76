-- pgvector: a column of embeddings, and an index for what is near.
-- Verdict: deployed
-- Needs: extension vector
--- before
CREATE TABLE document (id int PRIMARY KEY, body text);
INSERT INTO document VALUES (1, 'a'), (2, 'b');
--- apply
CREATE EXTENSION IF NOT EXISTS vector;
ALTER TABLE document ADD COLUMN embedding vector(3);
CREATE INDEX document_near ON document USING hnsw (embedding vector_cosine_ops) WITH (m = 8);
--- rollback
DROP INDEX document_near;
ALTER TABLE document DROP COLUMN embedding;
DROP EXTENSION vector;
--- users
UPDATE document SET embedding = '[1,2,3]' WHERE id = 1;
