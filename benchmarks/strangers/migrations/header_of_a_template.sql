-- The template's header, which nobody filled in.
-- Verdict: refused header_invalid
-- Names: Risk Level: LOW | MEDIUM | HIGH
--- before
CREATE TABLE note (id int PRIMARY KEY);
--- apply
-- Migration: 002_header_of_a_template.sql
-- Risk Level: LOW | MEDIUM | HIGH
ALTER TABLE note ADD COLUMN body text;
--- rollback
ALTER TABLE note DROP COLUMN body;
