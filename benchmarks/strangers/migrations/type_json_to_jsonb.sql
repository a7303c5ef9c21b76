-- json becomes jsonb, which keeps neither the order of keys nor white space: the way back gives other texts.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.document
--- before
CREATE TABLE document (id int PRIMARY KEY, body json);
INSERT INTO document VALUES (1, '{"b": 1,   "a": 2}'), (2, NULL);
--- apply
ALTER TABLE document ALTER COLUMN body TYPE jsonb;
--- rollback
ALTER TABLE document ALTER COLUMN body TYPE json;
