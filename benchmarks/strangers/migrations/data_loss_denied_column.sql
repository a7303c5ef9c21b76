-- The header says that nothing is lost, and a column is dropped.
-- Verdict: consent accept_data_loss=true, impact_not_allowed without it
-- Names: drops column public.person.fax
--- before
CREATE TABLE person (id int PRIMARY KEY, fax text);
INSERT INTO person VALUES (1, NULL);
--- apply
-- Data Loss: NONE
ALTER TABLE person DROP COLUMN fax;
--- rollback
ALTER TABLE person ADD COLUMN fax text;
