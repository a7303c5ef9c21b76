# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One snapshot for the dump and for what the dump must hold.

A transaction locks every table against being rewritten, then exports its snapshot; pg_dump and the fingerprint
both read through it (manual, "Snapshot Synchronization Functions"). The order matters: a table that is
rewritten between export and dump would be dumped empty without any error (manual, "Caveats" of MVCC).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..catalog.application import read_schema
from ..catalog.catalog import dead_column_slots
from ..content.extension_tables import content_not_dumped
from ..content.fingerprint import content_fingerprint
from ..content.workers import content_of_snapshot
from ..digests import digest_of
from ..errors import StepFailed
from ..impact.meter import rows_written
from ..postgres.answers import one_row
from ..postgres.application_tables import (
    APPLICATION_AND_RUNBOOK,
    INCLUDED,
    RELATIONS,
    SAVED,
    TABLES,
    of_application,
)
from ..postgres.connection import psycopg2, sql, transaction
from ..postgres.lone_extensions import read_lone_extensions
from ..postgres.programs import encoding_of_dump
from ..postgres.routed_rows import routed_names
from ..postgres.trigger_states import read_trigger_states
from ..shapes import Connection, Cursor, Json, TableName, Target
from .copy import database_settings
from .files import BackupFiles

__all__ = ["back_up", "hold_snapshot", "release", "sequences_now"]

# Tables that may appear while we lock the others; each round locks what the round before did not know.
ROUNDS = 5

# For tables whose rows may go to other partitions where they are restored (manual, pg_dump). pg_dump sees by itself
# where a key is an enum, and not where that is in an array or a row.
BY_ROOT = ["--load-via-partition-root"]

EXPORT = "SELECT pg_catalog.pg_export_snapshot()"

# All that is read: the ledger, the salvage and the tables of extensions too, as far as the role may read those of which
# pg_dump has no rows.
DUMPED_TABLES = f"""
    SELECT n.nspname, c.relname FROM {RELATIONS}
    WHERE {of_application(TABLES, APPLICATION_AND_RUNBOOK, INCLUDED)}
      AND ({of_application(TABLES, APPLICATION_AND_RUNBOOK, SAVED)}
           OR pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))
    ORDER BY 1, 2"""


def _tables(cursor: Cursor) -> list[TableName]:
    cursor.execute(DUMPED_TABLES)
    return cursor.fetchall()


def hold_snapshot(
    connection: Connection, lock_timeout_seconds: float, export: Callable[[], sql.Composable] | None = None
) -> tuple[Cursor, tuple[Any, ...]]:
    """Begin the holding transaction: every table locked ACCESS SHARE, then the snapshot exported.

    Args:
        export: gives the statement that does it, for each try anew; by default EXPORT.

    Returns:
        cursor, and the row of that statement; the transaction stays open until release().

    Raises:
        StepFailed: when the locks were not to be had, or tables kept appearing.
    """
    for _ in range(ROUNDS):
        with transaction(connection) as cursor:
            tables = _tables(cursor)
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor = connection.cursor()
        try:
            # Neither statement takes a snapshot, so the snapshot is younger than the locks.
            cursor.execute(f"SET LOCAL lock_timeout = {int(lock_timeout_seconds * 1000)}")
            if tables:
                names = sql.SQL(", ").join(
                    sql.SQL("ONLY {}").format(sql.Identifier(*table)) for table in tables
                )
                cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
            cursor.execute(EXPORT if export is None else export())
            exported = one_row(cursor)
            if _tables(cursor) == tables:
                return cursor, exported
        except psycopg2.errors.UndefinedTable:
            pass  # dropped between the list and the lock: look again
        except psycopg2.errors.LockNotAvailable:
            release(connection)
            raise StepFailed(
                "tables_not_held_still",
                f"The backup waited {lock_timeout_seconds:g} s for a table that another session holds"
                " (ALTER, TRUNCATE, VACUUM FULL ...). Run again when that session has finished.",
            ) from None
        release(connection)
    raise StepFailed(
        "tables_not_held_still",
        "Another session keeps creating or dropping tables, so that the backup could not lock them all. Run again when"
        " it has finished.",
    )


def release(connection: Connection) -> None:
    """End the holding transaction, and put the transaction settings back."""
    connection.rollback()
    connection.set_session(isolation_level="DEFAULT", readonly=False)


def sequences_now(cursor: Cursor) -> dict[str, int]:
    """The next value of each sequence."""
    return content_fingerprint(cursor, only_columns={"tables": {}})["sequences"]


def back_up(
    connection: Connection,
    target: Target,
    files: BackupFiles,
    bindir: str = "",
    jobs: int = 2,
    lock_timeout_seconds: float = 10.0,
) -> Json:
    """Dump the database and describe what the dump must hold.

    Args:
        connection: to the target, idle; its transaction settings are put back.
        target: connection options for pg_dump.
        files: BackupFiles; its folder is made here.
        jobs: connections of pg_dump, and as many of the fingerprint.

    Returns:
        dict, the manifest: catalog, catalog_digest, content, not_dumped (see content_not_dumped), trigger_states
        (see read_trigger_states), by_root (tables that are loaded by their root), lone_extensions (see
        LoneExtension), sequences_after, settings, encryption (method), files, dead_column_slots, rows_written (by
        anybody, before the snapshot), database_bytes.

    Raises:
        Refused, StepFailed: as BackupFiles does, and when the tables cannot be held still.
    """
    files.create_folder()
    try:
        # Before the snapshot: what is written after this may be in the backup, and is counted as written since.
        with transaction(connection) as cursor:
            written = rows_written(cursor)
            cursor.execute("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())")
            size = one_row(cursor)[0]
        cursor, (snapshot,) = hold_snapshot(connection, lock_timeout_seconds)
        try:
            # No snapshot covers sequences: they are looked at before the dump begins and after it has ended.
            sequences_before = sequences_now(cursor)
            routed = sorted({*routed_names(cursor).values()})
            options = [*encoding_of_dump(connection), *(BY_ROOT if routed else [])]
            with ThreadPoolExecutor(1) as pool:
                dump = pool.submit(files.make_dump, target, bindir, snapshot, jobs, options)
                content = content_of_snapshot(cursor, target, snapshot, jobs)
                content["sequences"] = sequences_before
                not_dumped = content_not_dumped(cursor)
                trigger_states = read_trigger_states(cursor)
                lone = read_lone_extensions(cursor)
                catalog = read_schema(cursor)
                settings = database_settings(cursor)
                slots = dead_column_slots(cursor)
                dump.result()
            sequences_after = sequences_now(cursor)
        finally:
            release(connection)
    except BaseException:
        files.remove()
        raise
    return {
        "catalog": catalog,
        "catalog_digest": digest_of(catalog),
        "content": content,
        "not_dumped": not_dumped,
        "trigger_states": trigger_states,
        "by_root": routed,
        "lone_extensions": lone,
        "sequences_after": sequences_after,
        "settings": settings,
        "dead_column_slots": slots,
        "rows_written": written,
        "database_bytes": size,
        "encryption": files.encryption.method,
        "files": files.files(),
    }
