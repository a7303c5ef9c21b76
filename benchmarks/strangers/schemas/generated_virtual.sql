-- Virtual generated columns.
-- PostgreSQL: 18
CREATE TABLE reckoned (state varchar(10), a int, is_open boolean GENERATED ALWAYS AS (state IN ('open', 'new')) VIRTUAL,
    twice int GENERATED ALWAYS AS (a * 2));
INSERT INTO reckoned VALUES ('open', 10);
-- Fault: ALTER TABLE reckoned ALTER is_open SET EXPRESSION AS (state IN ('open', 'old'))
-- Fault: ALTER TABLE reckoned DROP twice, ADD twice int GENERATED ALWAYS AS (a * 2) STORED
