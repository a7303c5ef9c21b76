-- The key of a table becomes another column, and what refers to it follows.
-- Verdict: deployed
--- before
CREATE TABLE country (name text CONSTRAINT country_pkey PRIMARY KEY, code char(2) NOT NULL);
CREATE TABLE city (id int PRIMARY KEY, country text NOT NULL CONSTRAINT city_country REFERENCES country);
INSERT INTO country VALUES ('Germany', 'de'), ('France', 'fr');
INSERT INTO city VALUES (1, 'Germany'), (2, 'France');
--- apply
ALTER TABLE city DROP CONSTRAINT city_country;
ALTER TABLE country DROP CONSTRAINT country_pkey;
ALTER TABLE country ADD CONSTRAINT country_pkey PRIMARY KEY (code);
ALTER TABLE country ADD CONSTRAINT country_name UNIQUE (name);
ALTER TABLE city ADD CONSTRAINT city_country FOREIGN KEY (country) REFERENCES country (name);
--- rollback
ALTER TABLE city DROP CONSTRAINT city_country;
ALTER TABLE country DROP CONSTRAINT country_name;
ALTER TABLE country DROP CONSTRAINT country_pkey;
ALTER TABLE country ADD CONSTRAINT country_pkey PRIMARY KEY (name);
ALTER TABLE city ADD CONSTRAINT city_country FOREIGN KEY (country) REFERENCES country;
--- users
INSERT INTO country VALUES ('Spain', 'es');
INSERT INTO city VALUES (3, 'Spain');
