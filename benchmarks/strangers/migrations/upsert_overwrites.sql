-- Settings are set to what the new release wants, whatever they were; the rollback writes what was the default once.
-- Verdict: refused rehearsal_rollback_data_differs
-- Names: public.setting
--- before
CREATE TABLE setting (key text PRIMARY KEY, value text);
INSERT INTO setting VALUES ('theme', 'dark'), ('pages', '50');
--- apply
INSERT INTO setting VALUES ('theme', 'auto'), ('pages', '100') ON CONFLICT (key) DO UPDATE SET value = excluded.value;
--- rollback
UPDATE setting SET value = 'light' WHERE key = 'theme';
UPDATE setting SET value = '50' WHERE key = 'pages';
