-- The same by somebody who keeps what was there.
-- Verdict: deployed
--- before
CREATE TABLE setting (key text PRIMARY KEY, value text);
INSERT INTO setting VALUES ('theme', 'dark'), ('pages', '50');
--- apply
CREATE TABLE setting_before_002 AS TABLE setting;
INSERT INTO setting VALUES ('theme', 'auto'), ('beta', 'on') ON CONFLICT (key) DO UPDATE SET value = excluded.value;
--- rollback
DELETE FROM setting WHERE key = 'beta';
UPDATE setting SET value = b.value FROM setting_before_002 AS b WHERE b.key = setting.key;
DROP TABLE setting_before_002;
--- users
UPDATE setting SET value = 'light' WHERE key = 'theme';
INSERT INTO setting VALUES ('font', 'serif');
