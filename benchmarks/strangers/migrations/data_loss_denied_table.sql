-- The header says that nothing is lost, and an empty table is dropped.
-- Verdict: consent accept_data_loss=true, impact_not_allowed without it
-- Names: drops table public.legacy
--- before
CREATE TABLE legacy (id int PRIMARY KEY);
--- apply
-- Data Loss: NONE
DROP TABLE legacy;
--- rollback
CREATE TABLE legacy (id int PRIMARY KEY);
