-- Row security for tenants, with policies for two roles.
-- Verdict: deployed
--- before
CREATE TABLE document (id int PRIMARY KEY, tenant text NOT NULL, body text);
INSERT INTO document VALUES (1, 'a', 'x'), (2, 'b', 'y');
GRANT SELECT ON document TO strangers_reader;
--- apply
ALTER TABLE document ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON document FOR SELECT TO strangers_reader USING (tenant = current_setting('app.tenant', true));
CREATE POLICY owner_all ON document AS PERMISSIVE TO strangers_owner USING (true) WITH CHECK (tenant <> '');
GRANT INSERT, UPDATE (body) ON document TO strangers_owner;
--- rollback
REVOKE INSERT, UPDATE (body) ON document FROM strangers_owner;
DROP POLICY owner_all ON document;
DROP POLICY tenant_reads ON document;
ALTER TABLE document DISABLE ROW LEVEL SECURITY;
--- users
INSERT INTO document VALUES (3, 'a', 'z');
