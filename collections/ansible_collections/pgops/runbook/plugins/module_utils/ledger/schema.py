# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the runbook makes in a database: the tables of schemas ``runbook`` and ``runbook_salvage``, by release.

A release that has gone out is never changed; a change of the layout is a new one at the end, with a comment for every
new table and column. ``upgrade`` runs them in order. ``docs/ledger.md`` is made from the comments.
"""

from __future__ import annotations

__all__ = ["ALL_AWAY", "COLLECTION_VERSION", "COMMENTS", "NEWEST", "OWNER_ALONE", "RELEASES"]

#: Of this collection, as in its galaxy.yml; written beside each release that it has run.
COLLECTION_VERSION = "0.2.0"

#: What a person types who needs none of it; never executed.
ALL_AWAY = "DROP SCHEMA runbook, runbook_salvage CASCADE"


# Made piece by piece, before releases were written down: of a database any of it may be there.
FIRST: tuple[str, ...] = (
    "CREATE SCHEMA runbook",
    """CREATE TABLE runbook.run (
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
    )""",
    """CREATE TABLE runbook.receipt (
        position bigint PRIMARY KEY,
        digest text NOT NULL UNIQUE,
        document text NOT NULL,
        run_id text GENERATED ALWAYS AS (document::json ->> 'run_id') STORED,
        step text GENERATED ALWAYS AS (document::json ->> 'step') STORED,
        migration text GENERATED ALWAYS AS (document::json ->> 'migration') STORED,
        status text GENERATED ALWAYS AS (document::json ->> 'status') STORED
    )""",
    "CREATE INDEX receipt_run_id ON runbook.receipt (run_id)",
    "CREATE TABLE runbook.catalog (digest text PRIMARY KEY, catalog jsonb NOT NULL)",
    """CREATE TABLE runbook.journal (
        journal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL,
        migration text NOT NULL,
        direction text NOT NULL CHECK (direction IN ('apply', 'rollback')),
        catalog_before text NOT NULL,
        begun timestamptz NOT NULL DEFAULT clock_timestamp(),
        closed timestamptz
    )""",
    """CREATE TABLE runbook.journal_statement (
        journal_id bigint REFERENCES runbook.journal,
        ordinal int,
        line int NOT NULL,
        sha256 text NOT NULL,
        begun timestamptz NOT NULL DEFAULT clock_timestamp(),
        done timestamptz,
        PRIMARY KEY (journal_id, ordinal)
    )""",
    """CREATE TABLE runbook.journal_relation (
        journal_id bigint NOT NULL REFERENCES runbook.journal ON DELETE CASCADE,
        oid bigint NOT NULL,
        sequence boolean NOT NULL,
        root bigint NOT NULL,
        schema_name text NOT NULL,
        name text NOT NULL,
        columns jsonb NOT NULL,
        PRIMARY KEY (journal_id, oid)
    )""",
    """CREATE TABLE runbook.journal_row (
        journal_id bigint NOT NULL REFERENCES runbook.journal ON DELETE CASCADE,
        oid bigint NOT NULL,
        key_columns text[] NOT NULL,
        key text NOT NULL,
        left_digest text NOT NULL
    )""",
    """CREATE TABLE runbook.path_change_set (
        set_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL,
        migration text NOT NULL,
        direction text NOT NULL CHECK (direction IN ('deploy', 'rollback', 'rehearsed')),
        path_column text[] NOT NULL,
        changes bigint NOT NULL,
        followed_on text[] NOT NULL DEFAULT '{}',
        closed timestamptz
    )""",
    """CREATE TABLE runbook.path_change (
        set_id bigint REFERENCES runbook.path_change_set,
        file text,
        old_path text NOT NULL,
        new_path text NOT NULL,
        PRIMARY KEY (set_id, file)
    )""",
    "CREATE SCHEMA runbook_salvage",
    """CREATE TABLE runbook_salvage.manifest (
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
    )""",
    """CREATE TABLE runbook_salvage.kept_row (
        item bigint NOT NULL REFERENCES runbook_salvage.manifest ON DELETE CASCADE,
        number bigint GENERATED ALWAYS AS IDENTITY,
        key text NOT NULL,
        occurrence bigint NOT NULL,
        kept text NOT NULL,
        columns text[],
        left_digest text,
        held_back text,
        PRIMARY KEY (item, number)
    )""",
    "ALTER TABLE runbook_salvage.kept_row ADD COLUMN brought text",
    """CREATE TABLE runbook_salvage.made_row (
        migration text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL,
        columns text[] NOT NULL,
        key text NOT NULL,
        occurrence bigint NOT NULL,
        line text NOT NULL
    )""",
    "CREATE INDEX made_row_migration ON runbook_salvage.made_row (migration)",
    """CREATE TABLE runbook_salvage.made_source (
        migration text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL
    )""",
    """CREATE TABLE runbook_salvage.made_column (
        migration text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL,
        column_name text NOT NULL,
        given text NOT NULL
    )""",
)

SECOND: tuple[str, ...] = (
    # Where paths were not rehearsed yet, it forbade them; a later version took it away.
    "ALTER TABLE runbook.path_change_set DROP CONSTRAINT IF EXISTS path_change_set_direction_check",
    "ALTER TABLE runbook.path_change_set ADD CONSTRAINT path_change_set_direction_check"
    " CHECK (direction IN ('deploy', 'rollback', 'rehearsed'))",
    """CREATE TABLE runbook.release (
        number int PRIMARY KEY,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        applied_by text NOT NULL
    )""",
    # A rollback noted in them what it had left, statement by statement; since then its rows change in one transaction.
    "DROP TABLE runbook.journal_row",
    "DROP TABLE runbook.journal_relation",
)

# A row that waits is kept beside what the migration makes of it by itself, and nothing else is needed to tell whose a
# value is. What an earlier release kept has no such row: it is held back where something else is in its place.
THIRD: tuple[str, ...] = (
    "ALTER TABLE runbook_salvage.kept_row ADD COLUMN base text",
    "ALTER TABLE runbook_salvage.kept_row ADD COLUMN made boolean",
    "ALTER TABLE runbook_salvage.kept_row ADD COLUMN written_since boolean",
    "ALTER TABLE runbook_salvage.kept_row ADD COLUMN parents text[]",
    "ALTER TABLE runbook_salvage.kept_row ALTER COLUMN kept DROP NOT NULL",
    # Rows that users had deleted: the migration makes them, and they are to go again.
    "UPDATE runbook_salvage.kept_row k SET base = k.kept, kept = NULL FROM runbook_salvage.manifest m"
    " WHERE m.item = k.item AND m.kind = 'rows that a user deleted'",
    "UPDATE runbook_salvage.manifest SET kind = 'changed rows' WHERE kind = 'rows that a user deleted'",
    # Nothing was kept of these but a note that the rollback had left them as they were.
    "DELETE FROM runbook_salvage.manifest WHERE kind = 'rows that the rollback left as they were'",
    "UPDATE runbook_salvage.manifest SET facts = facts || '{\"base_known\": false}'"
    " WHERE kind IN ('dropped table', 'dropped columns', 'changed rows')",
    # Of a row whose new version was kept whole no column counted more than another.
    "UPDATE runbook_salvage.kept_row k SET columns = m.columns FROM runbook_salvage.manifest m"
    " WHERE m.item = k.item AND k.columns IS NULL AND k.base IS NULL AND m.kind IN ('dropped columns', 'changed rows')",
    "ALTER TABLE runbook_salvage.kept_row DROP COLUMN IF EXISTS left_digest, DROP COLUMN IF EXISTS brought",
    # Asked once for each of the rows that one statement enters for one item, it took as long as all the rest.
    "ALTER TABLE runbook_salvage.kept_row DROP CONSTRAINT IF EXISTS kept_row_item_fkey",
    "DROP TABLE IF EXISTS runbook_salvage.made_row",
    "DROP TABLE IF EXISTS runbook_salvage.made_source",
    "DROP TABLE IF EXISTS runbook_salvage.made_column",
)

# A chain shows that a link in it was changed or taken out, and not that its end was.
FOURTH: tuple[str, ...] = (
    """CREATE TABLE runbook.chain_end (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        position bigint NOT NULL,
        digest text NOT NULL
    )""",
    "INSERT INTO runbook.chain_end (position, digest) SELECT position, digest FROM runbook.receipt"
    " ORDER BY position DESC LIMIT 1 ON CONFLICT (one) DO NOTHING",
    "ALTER TABLE runbook.run ADD COLUMN record_sha256 text",
    "ALTER TABLE runbook.receipt ADD COLUMN signature text",
)

# Who kills a run that has taken the application out of service leaves nobody who knows of it but the ledger.
FIFTH: tuple[str, ...] = (
    "ALTER TABLE runbook.run ADD COLUMN out_of_service_since timestamptz",
    "ALTER TABLE runbook.run ADD COLUMN in_service_again timestamptz",
    "ALTER TABLE runbook.run ADD COLUMN close_command text[]",
)

# A backup that backup_keep has let go is missed by nobody, and one that somebody took away is.
SIXTH: tuple[str, ...] = ("ALTER TABLE runbook.run ADD COLUMN backup_removed timestamptz",)

# A yes is worth what it is bound to: the receipts that were there when it was given.
SEVENTH: tuple[str, ...] = (
    """CREATE TABLE runbook.approval (
        run_id text NOT NULL,
        receipt text NOT NULL,
        person text NOT NULL,
        operator text NOT NULL,
        session_role text NOT NULL,
        acting_role text NOT NULL,
        approved timestamptz NOT NULL DEFAULT clock_timestamp(),
        comment text NOT NULL,
        PRIMARY KEY (run_id, receipt, person)
    )""",
)

# What was taken from the application in PostgreSQL itself is given back as it was, by whoever comes next.
EIGHTH: tuple[str, ...] = ("ALTER TABLE runbook.run ADD COLUMN maintenance jsonb",)

# A drill changes nothing here, so that it is no run: it opens none, and leaves no receipt that a gate could rely on.
NINTH: tuple[str, ...] = (
    """CREATE TABLE runbook.drill (
        run_id text PRIMARY KEY,
        migrations text[] NOT NULL,
        operator text NOT NULL,
        started timestamptz NOT NULL,
        finished timestamptz NOT NULL DEFAULT clock_timestamp(),
        outcome text NOT NULL,
        reason text,
        phases jsonb NOT NULL
    )""",
)

# What of a statement is committed while it is not done; and which run was at work on it last.
TENTH: tuple[str, ...] = (
    "ALTER TABLE runbook.journal ADD COLUMN resumed_by text",
    "ALTER TABLE runbook.journal_statement ADD COLUMN batches int NOT NULL DEFAULT 0",
)

#: Number of each layout -> its statements, in their order.
RELEASES = dict(
    enumerate((FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH, EIGHTH, NINTH, TENTH), start=1)
)

NEWEST = max(RELEASES)

#: Not part of a layout: for rows that not everybody may see who may read every table (pg_read_all_data). With row
#: security and no policy a table is its owner's alone (manual, "Row Security Policies"). Only where such rows are kept,
#: since a dump by a role that has no BYPASSRLS then fails, as it does where the application has row security.
OWNER_ALONE = "ALTER TABLE runbook_salvage.kept_row ENABLE ROW LEVEL SECURITY"

#: Of the newest release: what each schema, table ("schema.table") and column ("schema.table.column") holds.
COMMENTS: dict[str, str] = {
    "runbook": "Ledger of the migration runbook: runs, their receipts, and the catalogs that receipts name. Written by"
    " the runbook only.",
    "runbook.release": "layouts to which both schemas were brought; the highest number is the one they have",
    "runbook.release.number": "of the release; 1 is what was made before there was this table",
    "runbook.release.applied_at": "when the schemas were brought to it",
    "runbook.release.applied_by": "version of the collection pgops.runbook that did it",
    "runbook.run": "runs of the playbooks that write to this database",
    "runbook.run.run_id": "name of the run",
    "runbook.run.playbook": "deploy, emergency_rollback, restore, salvage or status (adoption)",
    "runbook.run.migrations": "versions of the migrations that it is about, in order",
    "runbook.run.operator": "who started it",
    "runbook.run.controller": "the process that drives it: where to look whether it still lives",
    "runbook.run.started": "when its first step began",
    "runbook.run.lease_until": "until when an unfinished run holds the database",
    "runbook.run.finished": "when it ended; NULL: it is under way, or was killed",
    "runbook.run.outcome": "how it ended, in a word or two",
    "runbook.run.reason": "why it ended so, in a sentence",
    "runbook.run.record_sha256": "of its run.json, as it was written at its end; NULL: it was not closed by its"
    " controller, or by an earlier version",
    "runbook.run.out_of_service_since": "when it was about to take the application out of service; NULL: it did not",
    "runbook.run.in_service_again": "when the application was taken back; NULL while it is out of service",
    "runbook.run.close_command": "words of the command that takes it back, for people to read; NULL: no command took it"
    " out of service",
    "runbook.run.maintenance": "maintenance_mode that is set in this database, and the settings or privileges that are"
    " to be given back; NULL: none, or it was ended",
    "runbook.run.backup_removed": "when its backup was removed, as backup_keep says; NULL: it was not, or it made none",
    "runbook.receipt": "what each step did: a chain in which every receipt names the digest of the one before it",
    "runbook.receipt.position": "in the chain, from 1 without a gap",
    "runbook.receipt.digest": "SHA-256 of the document",
    "runbook.receipt.document": "canonical JSON whose SHA-256 is the digest; it names the digest of the receipt before"
    " it",
    "runbook.receipt.run_id": "of the document",
    "runbook.receipt.step": "of the document",
    "runbook.receipt.migration": "of the document; NULL: the step is about the whole run",
    "runbook.receipt.status": "of the document: ok or failed",
    "runbook.receipt.signature": "HMAC-SHA-256 of the digest with receipt_key, which only the controller has; NULL:"
    " without a key, or by an earlier version",
    "runbook.chain_end": "the last receipt: what is cut off at the end of the chain is missed here",
    "runbook.chain_end.one": "there is one row",
    "runbook.chain_end.position": "of the last receipt",
    "runbook.chain_end.digest": "of the last receipt",
    "runbook.approval": "approvals of deploys that have stopped before production is changed",
    "runbook.approval.run_id": "of the run that was approved",
    "runbook.approval.receipt": "digest of the last receipt of what was approved; for another one the approval is void",
    "runbook.approval.person": "login of the operator, without the machine: one person counts once",
    "runbook.approval.operator": "who approved it: login and machine, as the controller gives them",
    "runbook.approval.session_role": "role that has logged in to the database (session_user)",
    "runbook.approval.acting_role": "role that wrote it (current_user)",
    "runbook.approval.approved": "when",
    "runbook.approval.comment": "what the person has said with it",
    "runbook.drill": "drills: each was played on a copy of this database, in which it changed nothing but this row",
    "runbook.drill.run_id": "name of the drill",
    "runbook.drill.migrations": "versions of the migrations that were deployed and taken back, in order",
    "runbook.drill.operator": "whose command it was",
    "runbook.drill.started": "when the copy was there and the first phase began",
    "runbook.drill.finished": "when it had ended",
    "runbook.drill.outcome": "drilled, or failed",
    "runbook.drill.reason": "why it failed, in a sentence",
    "runbook.drill.phases": "what was done, in order: phase, started, seconds, and what came of it",
    "runbook.catalog": "schemas that receipts name by digest",
    "runbook.catalog.digest": "SHA-256 of the canonical JSON of the catalog",
    "runbook.catalog.catalog": "facts about every object of the application's schema, by kind and name",
    "runbook.journal": "migrations and rollbacks whose statements are not in one transaction",
    "runbook.journal.journal_id": "number of the journal",
    "runbook.journal.run_id": "of the run that began it; a later one may go on with it",
    "runbook.journal.resumed_by": "the last run that went on with it; NULL where none did",
    "runbook.journal.migration": "version of the migration",
    "runbook.journal.direction": "apply or rollback",
    "runbook.journal.catalog_before": "digest of the schema before the first statement",
    "runbook.journal.begun": "when the first statement was about to run",
    "runbook.journal.closed": "when all was done; NULL: the migration is half applied, or half rolled back",
    "runbook.journal_statement": "statements of a journal that were begun",
    "runbook.journal_statement.journal_id": "of the journal",
    "runbook.journal_statement.ordinal": "place of the statement in the script, from 1",
    "runbook.journal_statement.line": "of the script on which it begins",
    "runbook.journal_statement.sha256": "of its text: a half applied script can only be finished as it was",
    "runbook.journal_statement.begun": "when it was about to run",
    "runbook.journal_statement.done": "NULL while it runs, and after a kill until the catalog was asked",
    "runbook.journal_statement.batches": "of those in which it is carried out, how many are committed",
    "runbook.path_change_set": "scripts that changed paths of files; closed when the files on disk have followed on"
    " every host of the library; those of a rehearsal were changed on a copy only",
    "runbook.path_change_set.set_id": "number of the set",
    "runbook.path_change_set.run_id": "of the run that changed them",
    "runbook.path_change_set.migration": "version of the migration",
    "runbook.path_change_set.direction": "deploy, rollback, or rehearsed: on the copy, by the deploy of this run",
    "runbook.path_change_set.path_column": "schema, table and column that hold the paths",
    "runbook.path_change_set.changes": "how many paths were changed",
    "runbook.path_change_set.followed_on": "hosts of the library on which the files have followed",
    "runbook.path_change_set.closed": "when the last of the hosts had; NULL: files are behind",
    "runbook.path_change": "the changes of the sets that are not closed",
    "runbook.path_change.set_id": "of the set",
    "runbook.path_change.file": "primary key of the file's row, as text",
    "runbook.path_change.old_path": "before the script",
    "runbook.path_change.new_path": "after it",
    "runbook_salvage": "Rows and values that rollbacks took out of the tables of the application; they return when the"
    " migration is deployed again. Written by the runbook only.",
    "runbook_salvage.manifest": "items of the salvage: what one rollback took out of one table, or of one object",
    "runbook_salvage.manifest.item": "number of the item, by which people name it",
    "runbook_salvage.manifest.run_id": "of the run that kept it",
    "runbook_salvage.manifest.migration": "version that was rolled back, with whose next deploy it returns",
    "runbook_salvage.manifest.kind": "dropped table, dropped columns, changed rows, sequence, privileges, enum"
    " labels, or large objects",
    "runbook_salvage.manifest.schema_name": "of the table or sequence; NULL: facts name the object",
    "runbook_salvage.manifest.table_name": "of the table or sequence",
    "runbook_salvage.manifest.columns": "columns that were kept, in the order of the record",
    "runbook_salvage.manifest.key_columns": "columns by which a row is found again",
    "runbook_salvage.manifest.facts": "what returning it takes: how its rows are recognised, which"
    " columns the migration hands out",
    "runbook_salvage.manifest.rows": "how many were kept; digest and bytes are of these",
    "runbook_salvage.manifest.bytes": "of the text of the rows that were kept",
    "runbook_salvage.manifest.digest": "of the rows that were kept, in any order",
    "runbook_salvage.manifest.kept": "when the rollback kept it",
    "runbook_salvage.manifest.returned": "when the last of its rows went back",
    "runbook_salvage.manifest.returned_by": "run that put the last of them back",
    "runbook_salvage.kept_row": "rows of the items that have not gone back",
    "runbook_salvage.kept_row.item": "of the manifest",
    "runbook_salvage.kept_row.number": "of the row",
    "runbook_salvage.kept_row.key": "record of the key columns of the manifest, in the order of their names",
    "runbook_salvage.kept_row.occurrence": "which of the rows with that key, where it is not unique",
    "runbook_salvage.kept_row.kept": "the row as users had made it, record of the columns of the manifest; NULL: they"
    " had deleted it",
    "runbook_salvage.kept_row.base": "what the migration makes of the row by itself, likewise; NULL: it makes none, or"
    " nobody knows (facts)",
    "runbook_salvage.kept_row.made": "whether base is a row that is not there without the migration; NULL: not asked",
    "runbook_salvage.kept_row.columns": "those in which both differ; NULL: all, and the row itself; empty: none, it is"
    " kept so that the row that others refer to is recognised",
    "runbook_salvage.kept_row.written_since": "whether users wrote the row after the migration had made its columns:"
    " what is the default in it may be theirs",
    "runbook_salvage.kept_row.parents": "what was in the rows that it referred to by keys that people give, in the"
    " order of the manifest's facts",
    "runbook_salvage.kept_row.held_back": "why it did not go back",
}
