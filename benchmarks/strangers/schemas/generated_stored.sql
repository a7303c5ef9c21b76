-- Stored generated columns with lists, casts and concatenations.
CREATE TABLE reckoned (
    state varchar(10), price numeric(9, 2), day date,
    is_open boolean GENERATED ALWAYS AS (state IN ('open', 'new')) STORED,
    gross numeric(9, 2) GENERATED ALWAYS AS (price * 1.19) STORED,
    label text GENERATED ALWAYS AS ('#' || state || coalesce(price::text, '-')) STORED,
    year int GENERATED ALWAYS AS (extract(year FROM day)) STORED
);
INSERT INTO reckoned VALUES ('open', 10, '2020-05-05');
-- Fault: ALTER TABLE reckoned DROP is_open, ADD is_open boolean GENERATED ALWAYS AS (state IN ('open', 'old')) STORED
-- Fault: ALTER TABLE reckoned ALTER gross DROP EXPRESSION
