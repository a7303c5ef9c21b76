-- Copyright: The pgops runbook authors
-- GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
-- Both schemas as the runbook made them before it wrote down the release of their layout (commit b73f30a), with rows.

CREATE SCHEMA runbook;

COMMENT ON SCHEMA runbook IS 'Ledger of the migration runbook: runs, their receipts, and the catalogs'
       ' that receipts name. Written by the runbook only.';

CREATE TABLE runbook.run (
        run_id text PRIMARY KEY,
        playbook text NOT NULL,
        migrations text[] NOT NULL,
        operator text NOT NULL,
        controller jsonb NOT NULL,
        started timestamptz NOT NULL DEFAULT clock_timestamp(),
        lease_until timestamptz NOT NULL,
        finished timestamptz,
        outcome text,
        reason text
    );

COMMENT ON COLUMN runbook.run.lease_until IS 'until when an unfinished run holds the database';

CREATE TABLE runbook.receipt (
        position bigint PRIMARY KEY,
        digest text NOT NULL UNIQUE,
        document text NOT NULL,
        run_id text GENERATED ALWAYS AS (document::json ->> 'run_id') STORED,
        step text GENERATED ALWAYS AS (document::json ->> 'step') STORED,
        migration text GENERATED ALWAYS AS (document::json ->> 'migration') STORED,
        status text GENERATED ALWAYS AS (document::json ->> 'status') STORED
    );

COMMENT ON COLUMN runbook.receipt.document IS 'canonical JSON whose SHA-256 is the digest; it names the'
       ' digest of the receipt before it';

CREATE INDEX receipt_run_id ON runbook.receipt (run_id);

CREATE TABLE runbook.catalog (digest text PRIMARY KEY, catalog jsonb NOT NULL);

COMMENT ON TABLE runbook.catalog IS 'schemas that receipts name by digest';

CREATE TABLE runbook.journal (
        journal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL,
        migration text NOT NULL,
        direction text NOT NULL CHECK (direction IN ('apply', 'rollback')),
        catalog_before text NOT NULL,
        begun timestamptz NOT NULL DEFAULT clock_timestamp(),
        closed timestamptz
    );

COMMENT ON TABLE runbook.journal IS 'migrations and rollbacks whose statements are not in one transaction';

CREATE TABLE runbook.journal_statement (
        journal_id bigint REFERENCES runbook.journal,
        ordinal int,
        line int NOT NULL,
        sha256 text NOT NULL,
        begun timestamptz NOT NULL DEFAULT clock_timestamp(),
        done timestamptz,
        PRIMARY KEY (journal_id, ordinal)
    );

COMMENT ON COLUMN runbook.journal_statement.done IS
       'NULL while it runs, and after a kill until the catalog was asked';

CREATE TABLE IF NOT EXISTS runbook.path_change_set (
        set_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL,
        migration text NOT NULL,
        direction text NOT NULL CHECK (direction IN ('deploy', 'rollback', 'rehearsed')),
        path_column text[] NOT NULL,
        changes bigint NOT NULL,
        followed_on text[] NOT NULL DEFAULT '{}',
        closed timestamptz
    );

COMMENT ON TABLE runbook.path_change_set IS 'scripts that changed paths of files; closed when the files on disk'
       ' have followed on every host of the library; those of a rehearsal were changed on a copy only';

CREATE TABLE IF NOT EXISTS runbook.path_change (
        set_id bigint REFERENCES runbook.path_change_set,
        file text,
        old_path text NOT NULL,
        new_path text NOT NULL,
        PRIMARY KEY (set_id, file)
    );

COMMENT ON TABLE runbook.path_change IS 'the changes of the sets that are not closed';

CREATE TABLE IF NOT EXISTS runbook.journal_relation (
        journal_id bigint NOT NULL REFERENCES runbook.journal ON DELETE CASCADE,
        oid bigint NOT NULL,
        sequence boolean NOT NULL,
        root bigint NOT NULL,
        schema_name text NOT NULL,
        name text NOT NULL,
        columns jsonb NOT NULL,
        PRIMARY KEY (journal_id, oid)
    );

COMMENT ON TABLE runbook.journal_relation IS
       'tables and sequences as they were called before the first statement of a rollback that is under way';

CREATE TABLE IF NOT EXISTS runbook.journal_row (
        journal_id bigint NOT NULL REFERENCES runbook.journal ON DELETE CASCADE,
        oid bigint NOT NULL,
        key_columns text[] NOT NULL,
        key text NOT NULL,
        left_digest text NOT NULL
    );

COMMENT ON TABLE runbook.journal_row IS
       'rows that a rollback which is under way has itself put into a table, as it left them';

CREATE SCHEMA runbook_salvage;

COMMENT ON SCHEMA runbook_salvage IS 'Rows and values that rollbacks took out of the tables of the'
       ' application; they return when the migration is deployed again. Written by the runbook only.';

CREATE TABLE runbook_salvage.manifest (
        item bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL,
        migration text NOT NULL,
        kind text NOT NULL,
        schema_name text,
        table_name text,
        columns text[] NOT NULL,
        key_columns text[] NOT NULL,
        facts jsonb NOT NULL,
        rows bigint NOT NULL DEFAULT 0,
        bytes bigint NOT NULL DEFAULT 0,
        digest text,
        kept timestamptz NOT NULL DEFAULT clock_timestamp(),
        returned timestamptz,
        returned_by text
    );

COMMENT ON COLUMN runbook_salvage.manifest.rows IS 'how many were kept; digest and bytes are of these';

COMMENT ON COLUMN runbook_salvage.manifest.returned IS 'when the last of its rows went back';

CREATE TABLE runbook_salvage.kept_row (
        item bigint NOT NULL REFERENCES runbook_salvage.manifest ON DELETE CASCADE,
        number bigint GENERATED ALWAYS AS IDENTITY,
        key text NOT NULL,
        occurrence bigint NOT NULL,
        kept text NOT NULL,
        columns text[],
        left_digest text,
        held_back text,
        PRIMARY KEY (item, number)
    );

COMMENT ON COLUMN runbook_salvage.kept_row.kept IS 'record of the columns of the manifest';

COMMENT ON COLUMN runbook_salvage.kept_row.columns IS 'those that count; NULL: all';

COMMENT ON COLUMN runbook_salvage.kept_row.left_digest IS
       'of the row as the rollback left it, to tell whether someone changed it since; NULL: it left none';

COMMENT ON COLUMN runbook_salvage.kept_row.held_back IS 'why it did not go back';

CREATE TABLE runbook_salvage.made_row (
        migration text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL,
        columns text[] NOT NULL,
        key text NOT NULL,
        occurrence bigint NOT NULL,
        line text NOT NULL
    );

COMMENT ON TABLE runbook_salvage.made_row IS
       'rows that a deployed migration brought itself: one that is gone was deleted by a user';

CREATE INDEX made_row_migration ON runbook_salvage.made_row (migration);

ALTER TABLE runbook_salvage.kept_row ADD COLUMN brought text;

COMMENT ON COLUMN runbook_salvage.kept_row.brought IS 'the row as the migration had brought it, before users'
       ' changed it: record of the columns of made_row';

CREATE TABLE runbook_salvage.made_source (
        migration text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL
    );

COMMENT ON TABLE runbook_salvage.made_source IS 'tables that a deployed migration read from';

CREATE TABLE runbook_salvage.made_column (
        migration text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL,
        column_name text NOT NULL,
        given text NOT NULL
    );

COMMENT ON TABLE runbook_salvage.made_column IS
       'columns that a deployed migration added to tables that were there, and the value that their rows got';

COMMENT ON COLUMN runbook_salvage.made_column.given IS 'record of the one value';

INSERT INTO runbook.run (run_id, playbook, migrations, operator, controller, started, lease_until, finished, outcome, reason)
VALUES ('r1', 'deploy', '{009}', 'ada@desk', '{"pid": 1}', '2026-01-01 00:00:00Z', '2026-01-01 00:15:00Z',
        '2026-01-01 00:05:00Z', 'deployed', NULL),
       ('r2', 'emergency_rollback', '{009}', 'ada@desk', '{"pid": 2}', '2026-01-02 00:00:00Z', '2026-01-02 00:15:00Z',
        NULL, NULL, NULL);

INSERT INTO runbook.receipt (position, digest, document) VALUES (1, 'c5a4b06e2cc397eb27bafef8b7ef4241435f3e628396e2848a87c5a9292c9e1a',
  '{"finished":"2026-01-01T00:00:01.000000Z","identity":{"database":"library","database_oid":16384,"system_identifier":"7439"},"inputs":{},"migration":null,"outputs":{"migrations":["009"]},"previous":"0000000000000000000000000000000000000000000000000000000000000000","run_id":"r1","started":"2026-01-01T00:00:00.000000Z","status":"ok","step":"preflight"}');
INSERT INTO runbook.receipt (position, digest, document) VALUES (2, '58ec3e87a0ca0940ae23ff938493a872f9b5c481483e97f22529446f4fb3dc37',
  '{"finished":"2026-01-01T00:00:01.000000Z","identity":{"database":"library","database_oid":16384,"system_identifier":"7439"},"inputs":{},"migration":"009","outputs":{"catalog_after":"c1","catalog_before":"c0"},"previous":"c5a4b06e2cc397eb27bafef8b7ef4241435f3e628396e2848a87c5a9292c9e1a","run_id":"r1","started":"2026-01-01T00:00:00.000000Z","status":"ok","step":"apply"}');

INSERT INTO runbook.catalog VALUES ('c0', '{}'), ('c1', '{"table public.star": {"comment": "it''s new"}}');

INSERT INTO runbook.journal (run_id, migration, direction, catalog_before, begun, closed)
VALUES ('r1', '008', 'apply', 'c0', '2026-01-01 00:00:02Z', '2026-01-01 00:00:03Z'),
       ('r2', '009', 'rollback', 'c1', '2026-01-02 00:00:02Z', NULL);
INSERT INTO runbook.journal_statement VALUES (2, 1, 3, 'd1', '2026-01-02 00:00:02Z', '2026-01-02 00:00:03Z'),
                                             (2, 2, 5, 'd2', '2026-01-02 00:00:03Z', NULL);
INSERT INTO runbook.journal_relation VALUES (2, 16400, false, 16400, 'public', 'star', '{"1": "id"}');
INSERT INTO runbook.journal_row VALUES (2, 16400, '{id}', '(1)', 'e1');

INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes, followed_on, closed)
VALUES ('r1', '009', 'deploy', '{public,files,path}', 1, '{nas1}', NULL),
       ('r2', '009', 'rehearsed', '{public,files,path}', 0, '{}', '2026-01-02 00:00:00Z');
INSERT INTO runbook.path_change VALUES (1, '17', 'a b.mid', 'a_b.mid');

INSERT INTO runbook_salvage.manifest (run_id, migration, kind, schema_name, table_name, columns, key_columns, facts,
                                      rows, bytes, digest, kept, returned, returned_by)
VALUES ('r0', '009', 'dropped table', 'public', 'star', '{id,mark}', '{id}', '{"unique_key": true}', 2, 10, 'f1',
        '2025-12-31 00:00:00Z', NULL, NULL),
       ('r0', '008', 'sequence', 'public', 'star_id_seq', '{}', '{}', '{"next_value": 9}', 1, 1, 'f2',
        '2025-12-31 00:00:00Z', '2026-01-01 00:00:00Z', 'r1');
INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns, left_digest, held_back, brought)
VALUES (1, '(1)', 1, '(1,"a ""quoted"" b")', NULL, NULL, NULL, '(1,a)'),
       (1, '(2)', 1, '(2,)', '{mark}', 'g1', 'somebody changed its row since the rollback', NULL);
INSERT INTO runbook_salvage.made_row VALUES ('009', 'public', 'star', '{id,mark}', '(1)', 1, '(1,a)');
INSERT INTO runbook_salvage.made_source VALUES ('009', 'public', 'files');
INSERT INTO runbook_salvage.made_column VALUES ('009', 'public', 'files', 'stars', '(0)');
