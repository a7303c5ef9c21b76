-- The policies go, row security stays on: nobody but the owner sees a row.
-- Verdict: refused rehearsal_rollback_schema_differs
-- Names: public.note
--- before
CREATE TABLE note (id int PRIMARY KEY, tenant text);
INSERT INTO note VALUES (1, 'a');
--- apply
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY note_tenant ON note USING (tenant = current_setting('app.tenant', true));
--- rollback
DROP POLICY note_tenant ON note;
