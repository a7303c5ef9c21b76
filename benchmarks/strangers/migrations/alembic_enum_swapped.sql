-- An enum loses a label: a new type, the column converted, the old type dropped; and the same way back.
-- Verdict: deployed
--- before
CREATE TYPE priority AS ENUM ('low', 'medium', 'high', 'unused');
CREATE TABLE task (id serial PRIMARY KEY, priority priority NOT NULL DEFAULT 'low');
INSERT INTO task (priority) VALUES ('low'), ('high');
--- apply
ALTER TYPE priority RENAME TO priority_old;
CREATE TYPE priority AS ENUM ('low', 'medium', 'high');
ALTER TABLE task ALTER COLUMN priority DROP DEFAULT;
ALTER TABLE task ALTER COLUMN priority TYPE priority USING priority::text::priority;
ALTER TABLE task ALTER COLUMN priority SET DEFAULT 'low';
DROP TYPE priority_old;
--- rollback
ALTER TYPE priority RENAME TO priority_new;
CREATE TYPE priority AS ENUM ('low', 'medium', 'high', 'unused');
ALTER TABLE task ALTER COLUMN priority DROP DEFAULT;
ALTER TABLE task ALTER COLUMN priority TYPE priority USING priority::text::priority;
ALTER TABLE task ALTER COLUMN priority SET DEFAULT 'low';
DROP TYPE priority_new;
--- users
INSERT INTO task (priority) VALUES ('medium');
UPDATE task SET priority = 'high' WHERE id = 1;
