-- Flyway's layout: V and U files, versions with dots.
-- Verdict: deployed
-- Migration: 1.2
--- before
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO person VALUES (1, 'Axel'), (2, 'Mr. Foo');
INSERT INTO schema_migrations VALUES ('1');
--- V1__create_person.sql
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL);
--- U1__create_person.sql
DROP TABLE person;
--- V1.2__add_email.sql
alter table person add column email varchar(254);
update person set email = lower(replace(name, ' ', '.')) || '@example.org';
create unique index person_email on person (email);
--- U1.2__add_email.sql
drop index person_email;
alter table person drop column email;
--- users
UPDATE person SET email = 'axel@example.com' WHERE id = 1;
