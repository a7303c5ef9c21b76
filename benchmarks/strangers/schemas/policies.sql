-- Policies: for roles, commands, permissive and restrictive, with lists.
CREATE TABLE secret (id int PRIMARY KEY, tenant varchar(10), owner name DEFAULT current_user);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON secret USING (tenant IN ('a', 'b')) WITH CHECK (tenant IN ('a', 'b') AND id > 0);
CREATE POLICY readers ON secret AS RESTRICTIVE FOR SELECT TO strangers_reader, strangers_owner USING (owner = current_user);
CREATE POLICY deeper ON secret FOR DELETE USING (EXISTS (SELECT FROM secret s WHERE s.id = secret.id - 1 AND s.tenant NOT IN ('x', 'y')));
INSERT INTO secret VALUES (1, 'a');
-- Fault: ALTER POLICY tenants ON secret USING (tenant IN ('a', 'B'))
-- Fault: ALTER POLICY tenants ON secret WITH CHECK (tenant IN ('a', 'b'))
-- Fault: ALTER POLICY readers ON secret TO strangers_reader
-- Fault: ALTER TABLE secret DISABLE ROW LEVEL SECURITY
-- Fault: ALTER TABLE secret FORCE ROW LEVEL SECURITY
