-- The habit of pg_dump: an empty search_path, and each name with its schema.
-- Verdict: deployed
--- before
CREATE TABLE public.note (id int PRIMARY KEY);
INSERT INTO public.note VALUES (1);
--- apply
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;
CREATE TABLE public.label (id integer NOT NULL, name character varying(40));
CREATE SEQUENCE public.label_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.label_id_seq OWNED BY public.label.id;
ALTER TABLE ONLY public.label ALTER COLUMN id SET DEFAULT nextval('public.label_id_seq'::regclass);
ALTER TABLE ONLY public.label ADD CONSTRAINT label_pkey PRIMARY KEY (id);
--- rollback
DROP TABLE public.label;
--- users
INSERT INTO label (name) VALUES ('a'), ('b');
