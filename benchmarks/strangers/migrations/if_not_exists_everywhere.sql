-- A careful script that may be run twice, and has nothing in its way.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
CREATE TABLE IF NOT EXISTS label (id int PRIMARY KEY, name text);
ALTER TABLE note ADD COLUMN IF NOT EXISTS label_id int;
CREATE INDEX IF NOT EXISTS note_label ON note (label_id);
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'note_label_fk') THEN
        ALTER TABLE note ADD CONSTRAINT note_label_fk FOREIGN KEY (label_id) REFERENCES label;
    END IF;
END $$;
--- rollback
ALTER TABLE IF EXISTS note DROP COLUMN IF EXISTS label_id;
DROP TABLE IF EXISTS label;
--- users
INSERT INTO label VALUES (1, 'red');
UPDATE note SET label_id = 1;
