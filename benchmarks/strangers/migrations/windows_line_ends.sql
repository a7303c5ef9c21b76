-- A file from Windows: a byte order mark, and line ends of two bytes.
-- Verdict: deployed
--- before
CREATE TABLE note (id int PRIMARY KEY);
INSERT INTO note VALUES (1);
--- apply
﻿-- Risk Level: LOW
ALTER TABLE note
    ADD COLUMN body text DEFAULT 'a
b';
--- rollback
﻿ALTER TABLE note DROP COLUMN body;
--- users
INSERT INTO note VALUES (2, 'x');
