# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore point, and the snapshot that saw what a recovery to it will have.

No lock keeps others from writing, and none is needed. The restore point is set after the snapshot was taken: whatever
the snapshot sees has its COMMIT before it in the WAL, and is in the recovered cluster. What that may have more are the
transactions that the snapshot does not see and whose COMMIT came before the restore point; the recovered cluster itself
knows them, each by its number, because it has their outcome. Mostly there are none.
"""

from __future__ import annotations

import itertools
import time
from typing import NamedTuple

from ...postgres.answers import one_row
from ...postgres.connection import connect_again, sql, transaction
from ...shapes import Connection, Cursor
from ..emergency import restore_point_name
from ..snapshot import hold_snapshot, release

__all__ = ["HeldPoint", "ended_between", "ended_meanwhile", "hold_restore_point"]

# While others write all the time, each try has a chance of its own; after that the comparison tells.
TRY_SECONDS = 5.0
TRIES = 1000
SETTLE_SECONDS = 0.05

# One statement: as little as can be between the snapshot, which is taken when it begins, and the restore point.
EXPORT = """
    SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::text,
           {name}::text, pg_catalog.pg_create_restore_point({name})::text"""

ENDED = """
    SELECT count(*) FROM (
        SELECT x::text FROM pg_catalog.pg_snapshot_xip(%(seen)s::pg_catalog.pg_snapshot) AS x
        UNION ALL
        SELECT x::text FROM pg_catalog.generate_series(
            pg_catalog.pg_snapshot_xmax(%(seen)s::pg_catalog.pg_snapshot)::text::numeric,
            pg_catalog.pg_snapshot_xmax(%(now)s::pg_catalog.pg_snapshot)::text::numeric - 1) AS x
    ) AS unseen (x) WHERE pg_catalog.pg_xact_status(x::pg_catalog.xid8) = 'committed'"""


class HeldPoint(NamedTuple):
    """A restore point, and a transaction that holds its snapshot.

    Attributes:
        cursor: of the transaction, which stays open.
        snapshot: name under which others may take it.
        seen: the snapshot itself (pg_current_snapshot).
        name: of the restore point.
        lsn: of the restore point.
    """

    cursor: Cursor
    snapshot: str
    seen: str
    name: str
    lsn: str


def hold_restore_point(connection: Connection, run_id: str, lock_timeout_seconds: float) -> HeldPoint:
    """Hold a snapshot of all tables, with a restore point right behind it.

    Args:
        connection: idle; release() ends the transaction.

    Raises:
        StepFailed: the tables cannot be held still.
    """
    names = itertools.count(1)

    def export() -> sql.Composable:
        # A recovery ends at the first point of a name, so that each try has its own.
        name = restore_point_name(run_id, f"runbook_backup_{next(names)}_")
        return sql.SQL(EXPORT).format(name=sql.Literal(name))

    other = connect_again(connection)
    try:
        deadline = time.monotonic() + TRY_SECONDS
        for number in range(1, TRIES + 1):
            cursor, (snapshot, seen, name, lsn) = hold_snapshot(connection, lock_timeout_seconds, export)
            if _quiet(other, seen) or number == TRIES or time.monotonic() >= deadline:
                return HeldPoint(cursor, snapshot, seen, name, lsn)
            release(connection)
        raise AssertionError("the last try returns")
    finally:
        other.close()


def _quiet(connection: Connection, seen: str) -> bool:
    """Whether, as far as production can tell, nobody committed between a snapshot and the restore point behind it.

    Who was running all the time may have written its COMMIT before the point, and still wait for the disk; so those are
    given a moment.
    """
    if ended_meanwhile(seen, _snapshot_now(connection)):
        return False
    running = _running(seen)
    if not running:
        return True
    time.sleep(SETTLE_SECONDS)
    return running <= _running(_snapshot_now(connection))


def _snapshot_now(connection: Connection) -> str:
    with transaction(connection) as cursor:
        cursor.execute("SELECT pg_catalog.pg_current_snapshot()::text")
        return one_row(cursor)[0]


def _running(snapshot: str) -> set[str]:
    """Numbers of the transactions that a snapshot found running."""
    return set(filter(None, snapshot.split(":")[2].split(",")))


def ended_meanwhile(before: str, after: str) -> bool:
    """Whether a transaction ended between two snapshots, so that it may be on either side of what lies between them.

    Args:
        before, after: as pg_current_snapshot() prints them: xmin:xmax:running ones with commas.
    """
    still = _running(after)
    # A number that was given meanwhile and is gone already.
    new = map(str, range(int(before.split(":")[1]), int(after.split(":")[1])))
    return not still.issuperset(_running(before)) or not still.issuperset(new)


def ended_between(cursor: Cursor, seen: str) -> int:
    """In a cluster that has recovered to the restore point: how many transactions it has which the snapshot has not.

    Args:
        cursor: of the first transaction after the recovery, so that every number that was given is production's.
        seen: HeldPoint.seen.
    """
    cursor.execute("SELECT pg_catalog.pg_current_snapshot()::text")
    cursor.execute(ENDED, {"seen": seen, "now": one_row(cursor)[0]})
    return one_row(cursor)[0]
