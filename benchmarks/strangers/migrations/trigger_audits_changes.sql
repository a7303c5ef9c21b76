-- An audit table with a trigger that writes who changed what.
-- Verdict: deployed
--- before
CREATE TABLE salary (id int PRIMARY KEY, amount int);
INSERT INTO salary VALUES (1, 100), (2, 200);
--- apply
CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), was jsonb, is_now jsonb);
CREATE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (was, is_now) VALUES (to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER salary_audit AFTER INSERT OR UPDATE OR DELETE ON salary FOR EACH ROW EXECUTE FUNCTION write_audit();
--- rollback
DROP TRIGGER salary_audit ON salary;
DROP FUNCTION write_audit();
DROP TABLE audit;
--- users
UPDATE salary SET amount = 150 WHERE id = 1;
DELETE FROM salary WHERE id = 2;
INSERT INTO salary VALUES (3, 300);
