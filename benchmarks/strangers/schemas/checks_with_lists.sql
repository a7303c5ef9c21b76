-- Lists of words: PostgreSQL writes them in another way when it has read its own text once.
CREATE TABLE ticket (
    id int PRIMARY KEY,
    state varchar(20) NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'lost')),
    level char(2) CHECK (level IN ('lo', 'hi')),
    name varchar CHECK (name NOT IN ('root', 'admin')),
    kind text CHECK (kind IN ('a', 'b')),
    number numeric(5, 2) CHECK (number IN (1, 2.5)),
    day date CHECK (day IN ('2020-01-01', '2021-01-01') OR day BETWEEN '2022-01-01' AND '2023-01-01'),
    at timestamptz CHECK (at > '2000-01-01 00:00+02'),
    words varchar(5)[] CHECK (words <@ ARRAY['x', 'y']::varchar[]),
    lapse interval CHECK (lapse >= '1 day -00:00:01'),
    CONSTRAINT together CHECK (CASE WHEN state IN ('open', 'lost') THEN level IS NOT NULL ELSE true END)
);
INSERT INTO ticket (id, level) VALUES (1, 'lo');
-- Fault: ALTER TABLE ticket DROP CONSTRAINT ticket_state_check, ADD CONSTRAINT ticket_state_check CHECK (state IN ('open', 'closed', 'Lost'))
-- Fault: ALTER TABLE ticket DROP CONSTRAINT ticket_name_check, ADD CONSTRAINT ticket_name_check CHECK (name NOT IN ('root'))
-- Fault: ALTER TABLE ticket DROP CONSTRAINT together
-- Fault: ALTER TABLE ticket DROP CONSTRAINT ticket_at_check, ADD CONSTRAINT ticket_at_check CHECK (at > '2000-01-01 00:00+01')
