-- Texts are cut off so that they fit; the rollback cannot know what they were.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.note
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'a body of more than ten letters');
--- apply
ALTER TABLE note ALTER COLUMN body TYPE varchar(10) USING left(body, 10);
--- rollback
ALTER TABLE note ALTER COLUMN body TYPE text;
