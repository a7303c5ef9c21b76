-- Description: Members of a club
-- Requires: none
CREATE TABLE members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
INSERT INTO members (name) SELECT 'Member ' || n FROM generate_series(1, 10) n;
