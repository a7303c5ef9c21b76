-- Dates kept as text become dates; ISO 8601, so that they come back to the letter.
-- Verdict: deployed
--- before
CREATE TABLE person (id int PRIMARY KEY, born text);
INSERT INTO person VALUES (1, '1815-12-10'), (2, NULL), (3, '1906-12-09');
--- apply
SET LOCAL datestyle = 'ISO, YMD';
ALTER TABLE person ALTER COLUMN born TYPE date USING born::date;
--- rollback
ALTER TABLE person ALTER COLUMN born TYPE text USING to_char(born, 'YYYY-MM-DD');
--- users
INSERT INTO person VALUES (4, '1939-11-07');
