# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of the whole cluster by pgBackRest, with the fingerprint of one database at a restore point."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ...activity import begin
from ...catalog.application import read_schema
from ...catalog.catalog import dead_column_slots
from ...content.workers import content_of_snapshot
from ...digests import digest_of
from ...errors import StepFailed
from ...impact.meter import rows_written
from ...postgres.answers import one_row
from ...postgres.application_tables import RELATIONS, SAVED, SEQUENCES, of_application
from ...postgres.connection import connect_again, transaction
from ...shapes import Connection, Cursor, Json, Target
from ..copy import database_settings
from ..emergency import wait_until_archived
from ..files import BackupFiles
from ..snapshot import release, sequences_now
from .checks import WISH, refuse_unlogged_rows
from .program import PgBackRest
from .restore_point import HeldPoint, hold_restore_point

__all__ = ["back_up_cluster", "furthest"]

# A sequence writes to the WAL a value that it has not come to yet, so many steps ahead (SEQ_LOG_VALS, sequence.c).
AHEAD = 32

# Those of unlogged tables begin anew after a recovery.
SEQUENCES_OF_WAL = f"""
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), s.seqincrement, s.seqmin, s.seqmax
    FROM {RELATIONS} JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    WHERE {of_application(SEQUENCES, members=SAVED)} AND c.relpersistence <> 'u'"""


def back_up_cluster(
    connection: Connection,
    target: Target,
    files: BackupFiles,
    program: PgBackRest,
    kind: str,
    run_id: str,
    jobs: int,
    lock_timeout_seconds: float,
) -> Json:
    """Back the cluster up, then describe what this database has at a restore point behind the backup.

    Args:
        connection: to the database, idle.
        kind: full, diff or incr.
        jobs: of pgbackrest, and connections of the fingerprint.

    Returns:
        the manifest, as snapshot.back_up, with engine (name, stanza, config, label, type, restore_point, lsn, segment,
        seen) and bytes (in the repository).

    Raises:
        Refused, StepFailed: it cannot be made; nothing of the run's own is left, but what pgbackrest has made is.
    """
    files.create_folder()
    try:
        with transaction(connection) as cursor:
            refuse_unlogged_rows(cursor)
            # Before the snapshot, as of a dump.
            written = rows_written(cursor)
            cursor.execute("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())")
            size = one_row(cursor)[0]
        begin("backing up the cluster with pgbackrest")
        program.run_at_repository(
            "backup", f"--type={kind}", f"--annotation=runbook={run_id}", f"--process-max={jobs}"
        )
        made = _made(program, run_id)
        with transaction(connection) as cursor:
            before = sequences_now(cursor)
        held = hold_restore_point(connection, run_id, lock_timeout_seconds)
        try:
            facts, segment = _described(connection, target, held, before, jobs)
        finally:
            release(connection)
    except BaseException:
        files.remove()
        raise
    point = {"restore_point": held.name, "lsn": held.lsn, "segment": segment, "seen": held.seen}
    own = {"stanza": program.stanza, "config": program.config, "label": made["label"], "type": made["type"]}
    return {
        **facts,
        "engine": {"name": "pgbackrest", **own, **point},
        "bytes": made["info"]["repository"]["delta"],
        "rows_written": written,
        "database_bytes": size,
        "encryption": "none",
        "files": {},
    }


def _made(program: PgBackRest, run_id: str) -> Json:
    """What the repository says of the backup that this run has made.

    Raises:
        StepFailed: it is not there, or pages of it are damaged.
    """
    made = program.backup(run_id=run_id)
    if made is None:
        raise StepFailed(
            "backup_engine_failed",
            "pgbackrest has ended well, but its repository has no backup of this run. Production is as it was. Look:"
            f" pgbackrest {' '.join(program.options())} info",
        )
    if made.get("error"):
        raise StepFailed(
            "backup_damaged",
            f"pgbackrest found pages with wrong checksums while it made backup {made['label']}: production's own files"
            " are damaged. Do not deploy. Look into the log of pgbackrest and of the server.",
        )
    return made


def _described(
    connection: Connection, target: Target, held: HeldPoint, before: dict[str, int], jobs: int
) -> tuple[Json, str]:
    """What the database has at the restore point, and the segment of the WAL, once that is archived."""
    with ThreadPoolExecutor(1) as pool:
        archived = pool.submit(_archive, connect_again(connection), held)
        content = content_of_snapshot(held.cursor, target, held.snapshot, jobs)
        catalog = read_schema(held.cursor)
        slots, settings = dead_column_slots(held.cursor), database_settings(held.cursor)
        after = sequences_now(held.cursor)
        reach = _reach(held.cursor, after)
        segment = archived.result()
    content["sequences"] = {name: value for name, value in before.items() if name in reach}
    facts = {
        "catalog": catalog,
        "catalog_digest": digest_of(catalog),
        "content": content,
        "sequences_after": reach,
        "settings": settings,
        "dead_column_slots": slots,
    }
    return facts, segment


def _archive(connection: Connection, held: HeldPoint) -> str:
    """End the segment that holds the restore point, and wait until it is archived; returns its name."""
    try:
        with transaction(connection) as cursor:
            cursor.execute("SELECT clock_timestamp()")
            begun = one_row(cursor)[0]
            cursor.execute("SELECT pg_catalog.pg_walfile_name(%s), pg_catalog.pg_switch_wal()", (held.lsn,))
            segment = one_row(cursor)[0]
        wait_until_archived(connection, held.name, segment, begun, wish=WISH)
        return segment
    finally:
        connection.close()


def _reach(cursor: Cursor, after: dict[str, int]) -> dict[str, int]:
    """The furthest that each sequence may stand in a recovered cluster."""
    cursor.execute(SEQUENCES_OF_WAL)
    return {
        name: furthest(after[name], increment, lowest, highest)
        for name, increment, lowest, highest in cursor.fetchall()
        if name in after
    }


def furthest(value: int, increment: int, lowest: int, highest: int) -> int:
    """Where a sequence may stand whose next value is ``value`` when the WAL is written no further.

    Args:
        increment, lowest, highest: of the sequence. One that cycles may stand at its beginning instead.
    """
    ahead = value + AHEAD * increment
    # One step beyond the last value, which is what comes after it.
    return max(ahead, lowest + increment) if increment < 0 else min(ahead, highest + increment)
