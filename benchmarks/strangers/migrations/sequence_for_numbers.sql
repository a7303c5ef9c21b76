-- Invoices get a sequence for their numbers, which begins behind the greatest.
-- Verdict: deployed
--- before
CREATE TABLE invoice (id int PRIMARY KEY, number int NOT NULL);
INSERT INTO invoice VALUES (1, 2001), (2, 2002);
--- apply
CREATE SEQUENCE invoice_number AS integer INCREMENT BY 5 MINVALUE 1000 CACHE 3;
SELECT setval('invoice_number', (SELECT max(number) FROM invoice));
ALTER TABLE invoice ALTER COLUMN number SET DEFAULT nextval('invoice_number');
--- rollback
ALTER TABLE invoice ALTER COLUMN number DROP DEFAULT;
DROP SEQUENCE invoice_number;
--- users
INSERT INTO invoice (id) VALUES (3), (4);
