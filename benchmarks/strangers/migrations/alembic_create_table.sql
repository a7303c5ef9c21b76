-- Alembic's offline SQL: tables, an index, and the row of alembic_version, which the script changes itself.
-- Verdict: deployed
--- before
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
INSERT INTO alembic_version VALUES ('1975ea83b712');
CREATE TABLE account (id SERIAL NOT NULL, name VARCHAR(50) NOT NULL, PRIMARY KEY (id));
INSERT INTO account (name) VALUES ('acme');
--- apply
BEGIN;

-- Running upgrade 1975ea83b712 -> ae1027a6acf

CREATE TABLE address (
    id SERIAL NOT NULL,
    account_id INTEGER NOT NULL,
    line VARCHAR(200),
    PRIMARY KEY (id),
    FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
);

CREATE INDEX ix_address_account_id ON address (account_id);

UPDATE alembic_version SET version_num='ae1027a6acf' WHERE alembic_version.version_num = '1975ea83b712';

COMMIT;
--- rollback
BEGIN;

-- Running downgrade ae1027a6acf -> 1975ea83b712

DROP INDEX ix_address_account_id;

DROP TABLE address;

UPDATE alembic_version SET version_num='1975ea83b712' WHERE alembic_version.version_num = 'ae1027a6acf';

COMMIT;
--- users
INSERT INTO address (account_id, line) VALUES (1, 'Main Street 1');
