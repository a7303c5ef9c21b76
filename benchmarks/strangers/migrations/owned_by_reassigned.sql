-- All that one role owns goes to another.
-- Verdict: deployed
--- before
GRANT CREATE ON SCHEMA public TO strangers_owner, strangers_reader;
CREATE TABLE note (id serial PRIMARY KEY);
ALTER TABLE note OWNER TO strangers_owner;
CREATE VIEW notes AS SELECT id FROM note;
ALTER VIEW notes OWNER TO strangers_owner;
--- apply
REASSIGN OWNED BY strangers_owner TO strangers_reader;
--- rollback
REASSIGN OWNED BY strangers_reader TO strangers_owner;
--- users
INSERT INTO note DEFAULT VALUES;
