-- Rows that the application needs, as far as they are not there; the rollback deletes one that was there before.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.currency
--- before
CREATE TABLE currency (code char(3) PRIMARY KEY, name text);
INSERT INTO currency VALUES ('EUR', 'Euro');
--- apply
INSERT INTO currency VALUES ('EUR', 'Euro'), ('USD', 'Dollar'), ('JPY', 'Yen') ON CONFLICT DO NOTHING;
--- rollback
DELETE FROM currency WHERE code IN ('EUR', 'USD', 'JPY');
