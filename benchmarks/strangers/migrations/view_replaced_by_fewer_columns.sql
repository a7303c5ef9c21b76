-- The same, with a rollback that replaces the view by one with fewer columns: PostgreSQL cannot.
-- Verdict: refused statement_failed
-- Names: cannot drop columns from view
-- Names: rollback/002_view_replaced_by_fewer_columns_rollback.sql
--- before
CREATE TABLE sale (id int PRIMARY KEY, region text, amount int, sold date);
CREATE VIEW sale_north AS SELECT id, amount FROM sale WHERE region = 'north';
--- apply
CREATE OR REPLACE VIEW sale_north AS SELECT id, amount, sold FROM sale WHERE region = 'north';
--- rollback
CREATE OR REPLACE VIEW sale_north AS SELECT id, amount FROM sale WHERE region = 'north';
