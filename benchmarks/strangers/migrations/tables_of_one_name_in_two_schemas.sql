-- Tenants with a schema each, and a script that goes through them.
-- Verdict: deployed
--- before
CREATE SCHEMA tenant_a;
CREATE SCHEMA tenant_b;
CREATE TABLE tenant_a.note (id int PRIMARY KEY, body text);
CREATE TABLE tenant_b.note (id int PRIMARY KEY, body text);
INSERT INTO tenant_a.note VALUES (1, 'a');
INSERT INTO tenant_b.note VALUES (1, 'b');
--- apply
SET search_path TO tenant_a, public;
ALTER TABLE note ADD COLUMN stars int NOT NULL DEFAULT 0;
SET search_path TO tenant_b, public;
ALTER TABLE note ADD COLUMN stars int NOT NULL DEFAULT 0;
--- rollback
DO $$
DECLARE tenant name;
BEGIN
    FOR tenant IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant\_%' LOOP
        EXECUTE format('ALTER TABLE %I.note DROP COLUMN stars', tenant);
    END LOOP;
END $$;
--- users
UPDATE tenant_b.note SET stars = 5;
