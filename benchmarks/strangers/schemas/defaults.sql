-- Defaults that PostgreSQL writes in its own way, and those of types.
CREATE TYPE pair AS (a int, b varchar(5));
CREATE TABLE filled (
    id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
    state varchar(20) DEFAULT 'open'::varchar,
    short varchar(3) DEFAULT substr('abcdef', 1, 3),
    words varchar(9)[] DEFAULT ARRAY['a', 'b']::varchar[],
    more text[] DEFAULT '{x,y}',
    chosen varchar(9) DEFAULT CASE WHEN current_user IN ('a', 'b') THEN 'x' ELSE 'y' END,
    of_list boolean DEFAULT ('a'::varchar IN ('a', 'b')),
    day date DEFAULT CURRENT_DATE + 7, at timestamptz DEFAULT (now() AT TIME ZONE 'UTC'),
    then_at timestamptz DEFAULT '2020-01-01 12:00+03', lapse interval DEFAULT '1 mon -2 days',
    n numeric(6, 2) DEFAULT -1.5, small smallint DEFAULT -1, bits bit varying(4) DEFAULT B'101', money money DEFAULT 5,
    doc jsonb DEFAULT '{"a": [1]}', made pair DEFAULT ROW(1, 'x'), net cidr DEFAULT '10.0.0.0/8', b bytea DEFAULT '\x00ff'
);
INSERT INTO filled DEFAULT VALUES;
-- Fault: ALTER TABLE filled ALTER words SET DEFAULT ARRAY['a', 'c']::varchar[]
-- Fault: ALTER TABLE filled ALTER state SET DEFAULT 'Open'::varchar
-- Fault: ALTER TABLE filled ALTER of_list SET DEFAULT ('a'::varchar IN ('a', 'c'))
-- Fault: ALTER TABLE filled ALTER lapse DROP DEFAULT
