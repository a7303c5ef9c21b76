-- Text search configurations, dictionaries, templates and parsers.
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple, STOPWORDS = english, accept = false);
CREATE TEXT SEARCH CONFIGURATION mine (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION mine ALTER MAPPING FOR asciiword, word WITH words, english_stem;
ALTER TEXT SEARCH CONFIGURATION mine DROP MAPPING FOR email;
CREATE TEXT SEARCH PARSER copied (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE templated (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TABLE page (body text, v tsvector GENERATED ALWAYS AS (to_tsvector('public.mine'::regconfig, body)) STORED);
CREATE INDEX page_v ON page USING gin (to_tsvector('mine'::regconfig, body));
INSERT INTO page VALUES ('the words of a page');
-- Fault: ALTER TEXT SEARCH CONFIGURATION mine ALTER MAPPING FOR word WITH english_stem
-- Fault: ALTER TEXT SEARCH DICTIONARY words (accept = true)
-- Fault: ALTER TEXT SEARCH CONFIGURATION mine ADD MAPPING FOR email WITH simple
