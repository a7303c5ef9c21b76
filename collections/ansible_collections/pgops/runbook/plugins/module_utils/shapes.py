# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shapes of the values that rooms hand to each other, for readers and for the type checker.

All of them are plain JSON-able dicts at run time: they travel from the controller into modules, into receipts and
run.json. Nothing here is needed to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor
else:
    # Hosts without psycopg2 are told so by the step, not by an import that fails.
    Connection = Cursor = Any

__all__ = [
    "Catalog",
    "Connection",
    "Content",
    "Cursor",
    "FilesBehind",
    "Identity",
    "Impact",
    "InBatches",
    "IndexEntry",
    "Json",
    "Migration",
    "Receipt",
    "Runnable",
    "Script",
    "Statement",
    "TableName",
    "Target",
    "Timing",
]

#: A JSON object whose keys are said where it is made.
Json = dict[str, Any]

#: Schema and name of a table, a sequence or another relation, not quoted.
TableName = tuple[str, str]

#: Connection parameters as in postgres.connection.TARGET_SPEC.
Target = dict[str, Any]

#: The schema of a database: kind and name of each object -> its facts (catalog.catalog.read_catalog).
Catalog = dict[str, Any]

#: Fingerprint of all rows (content.fingerprint.content_fingerprint): tables and sequences by name.
Content = dict[str, Any]

#: What a migration did (impact.meter.ImpactMeter.result): locks, rewritten, rows, wal_bytes and more.
Impact = dict[str, Any]

#: Which database it is (postgres.connection.server_identity): system_identifier, database, database_oid and more.
Identity = dict[str, Any]


class InBatches(TypedDict):
    """A statement that is carried out in batches, each of them committed (see plugin_utils/sql/batches.py)."""

    #: How many rows a batch is to change.
    rows: int
    #: Schema, or None, and name of the table, as the statement has them.
    table: list[str | None]
    #: Whether the statement says ONLY.
    only: bool
    #: SQL of the table, as it stands in FROM.
    target: str
    #: SQL of the statement without its condition.
    change: str
    #: SQL of the condition.
    condition: str


class Statement(TypedDict):
    """One statement of a script, with its place in the file (both counted from 1)."""

    sql: str
    line: int
    column: int
    kind: str
    #: The command's name, where PostgreSQL forbids it in a transaction; else None.
    outside_transaction: str | None
    #: What that command is about.
    object: Json | None
    #: Whether it may change or remove rows, columns or tables, as far as the statement alone tells.
    changes_rows: bool
    #: Its parts, where it is carried out in batches.
    batches: InBatches | None


class Runnable(TypedDict):
    """What of a script is needed to run it, or a part of it."""

    name: str
    statements: list[Statement]


class Script(TypedDict):
    """A script of sql_dir as the controller has parsed it."""

    name: str
    sha256: str
    #: Of the file that it is in, which may hold other scripts too.
    file_sha256: str
    statements: list[Statement]
    #: [line, command] of each statement that forbids a transaction.
    forbids_transaction: list[list[Any]]
    #: "none", where the header says so.
    transaction: str | None
    transaction_blocks: int
    notes: list[str]


class Migration(TypedDict):
    """One migration with its scripts; those that it does not have are None."""

    version: str
    stem: str
    description: str
    requires: list[str]
    #: What the header says, if it does.
    risk_level: str | None
    data_loss: str | None
    #: What the rollback's header says that it cannot take back (see catalog.residue).
    leaves: list[str]
    #: Schema (may be left out), table and column whose paths files on disk follow.
    files: list[str] | None
    apply: Script
    rollback: Script | None
    verify: Script | None
    precheck: Script | None
    sample: Script | None


class IndexEntry(TypedDict):
    """What preflight is told of a migration of sql_dir; all of them in order are its index (plugin_utils.run.plan)."""

    version: str
    stem: str
    number: int | None
    description: str
    requires: list[str]
    #: Whether the header names them, or they are all that come before.
    requires_declared: bool
    #: What the header says, if it does.
    risk_level: str | None
    data_loss: str | None
    transaction: str | None
    apply_sha256: str
    rollback_sha256: str | None
    verify_sha256: str | None
    #: Kind -> names of what it makes (plugin_utils.sql.footprint); None where the script does not parse.
    creates: dict[str, list[list[str | None]]] | None
    files: list[str] | None
    apply_name: str
    rollback_name: str | None
    #: Where its rollback is, or would be, in words.
    rollback_place: str
    #: reason_code and reason of each script that cannot be run.
    problems: list[dict[str, str]]
    rollback_problems: list[dict[str, str]]
    #: How many there are.
    statements: int
    rollback_statements: int
    #: apply and rollback -> what forbids a transaction in them: statements, declared, blocks.
    one_by_one: dict[str, Json]
    #: The linter's findings: rule, line, message.
    lint: list[Json]


class Receipt(TypedDict):
    """What a step recorded; ``digest`` is that of all the rest (ledger.receipts.make_receipt)."""

    run_id: str
    step: str
    migration: str | None
    status: str
    started: str
    finished: str
    identity: Identity
    inputs: Json
    outputs: Json
    previous: str
    digest: str


class FilesBehind(TypedDict):
    """Changed paths that the files on disk have not followed on every host (library.follow.files_behind)."""

    migration: str
    #: "deploy" or "rollback".
    direction: str
    run_id: str
    #: Number of paths.
    changes: int
    #: Hosts on which the files have followed.
    followed_on: list[str]


class Timing(TypedDict, total=False):
    """What one statement took and, where it was measured, did."""

    line: int
    kind: str
    seconds: float
    rows: int | None
    attempted_seconds: float
    wal_bytes: int
    rewritten: list[str]
    locks: list[Json]
    #: Limits that it set to none or to a greater value, as in "lock_timeout = 0"; they were set again.
    limits_lifted: list[str]
    destroyed: list[Json]
    #: How many statements in turn, where these differ in their values only; the line is that of the first.
    alike: int
    #: In how many transactions, where it was carried out in batches.
    batches: int
