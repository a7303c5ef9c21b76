-- A table comes back with its rows, and its sequence begins at 1 again.
-- Verdict: refused sequence_would_collide
-- Names: public.ticket
--- before
CREATE TABLE ticket (id serial PRIMARY KEY, title text);
INSERT INTO ticket (title) VALUES ('a'), ('b'), ('c');
--- apply
CREATE TABLE issue (id int PRIMARY KEY, title text);
INSERT INTO issue SELECT * FROM ticket;
DROP TABLE ticket;
--- rollback
CREATE TABLE ticket (id serial PRIMARY KEY, title text);
INSERT INTO ticket SELECT * FROM issue;
DROP TABLE issue;
