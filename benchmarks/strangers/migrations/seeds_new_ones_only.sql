-- The same by somebody who looked which were there.
-- Verdict: deployed
--- before
CREATE TABLE currency (code char(3) PRIMARY KEY, name text);
INSERT INTO currency VALUES ('EUR', 'Euro');
--- apply
INSERT INTO currency VALUES ('USD', 'Dollar'), ('JPY', 'Yen') ON CONFLICT (code) DO NOTHING;
--- rollback
DELETE FROM currency WHERE code IN ('USD', 'JPY');
--- users
INSERT INTO currency VALUES ('CHF', 'Franc');
UPDATE currency SET name = 'US Dollar' WHERE code = 'USD';
