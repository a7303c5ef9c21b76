-- A quote that is never closed.
-- Verdict: refused script_syntax_error
-- Names: 002_syntax_error_quote.sql
-- Names: syntax error at or near "s"
--- before
CREATE TABLE note (id int PRIMARY KEY, body text);
--- apply
UPDATE note SET body = 'it's';
--- rollback
SELECT 1;
