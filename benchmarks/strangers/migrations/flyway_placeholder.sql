-- A placeholder of Flyway's, which only its configuration knows.
-- Verdict: refused script_has_placeholders
-- Names: ${schema}
-- Names: V2__owner.sql
-- Migration: 2
--- before
CREATE TABLE person (id int PRIMARY KEY);
--- V2__owner.sql
ALTER TABLE ${schema}.person ADD COLUMN owner text;
--- U2__owner.sql
ALTER TABLE public.person DROP COLUMN owner;
