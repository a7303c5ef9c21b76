# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Standbys and slots around a change of production: a look before it, and whether standbys have it after COMMIT."""

from __future__ import annotations

import time

from ..activity import waits
from ..errors import Refused, RunbookError, StepFailed
from ..postgres.connection import psycopg2, transaction
from ..postgres.message import one_line
from ..postgres.standbys import Standby, position_now, read_standbys
from ..preflight.replication import look_at_slots, look_at_standbys, wal_of_rehearsal
from ..sentences import listed
from ..shapes import Connection, Json
from ..step.step import Step

__all__ = [
    "BATCH_SPEC",
    "REPLICA_WAIT_SPEC",
    "look_before_apply",
    "look_before_rollback",
    "pause_between_batches",
    "wait_for_standbys",
]

REPLICA_WAIT_SPEC = {"replica_wait_seconds": {"type": "float", "default": 0}}
BATCH_SPEC = {"batch_pause_seconds": {"type": "float", "default": 0}}

#: For how long a batch waits for a standby to catch up.
CATCH_UP_SECONDS: float = 600

LOOK_EVERY_SECONDS = 0.2


def look_before_apply(step: Step, evidence: list[Json]) -> list[str]:
    """The last look before production is changed: the copy's own WAL, and the time that it took, lie behind it.

    Args:
        evidence: of the rehearsal, by migration.

    Returns:
        sentences for the person who runs this.

    Raises:
        Refused: a standby lags, or a slot would be lost.
    """
    params = step.params
    with transaction(step.connection) as cursor:
        said = look_at_standbys(cursor, params["max_replica_lag_mb"], refuses=True)
        wal_bytes = wal_of_rehearsal(evidence)
        return said + look_at_slots(
            cursor, wal_bytes, "On the copy the migration wrote", params["accept_slot_loss"]
        )


def look_before_rollback(step: Step) -> list[str]:
    """As look_before_apply(), where nobody has time to wait: it only says what it sees."""
    with transaction(step.connection) as cursor:
        return look_at_standbys(cursor, step.params["max_replica_lag_mb"], refuses=False)


def pause_between_batches(connection: Connection, pause_seconds: float, max_lag_mb: float) -> None:
    """Let others have their turn, and standbys catch up, before the next batch is changed.

    Args:
        connection: in autocommit mode.
        pause_seconds: for so long in any case.
        max_lag_mb: as for look_at_standbys().

    Raises:
        StepFailed: a standby has not caught up in time; what is committed stays so.
    """
    time.sleep(pause_seconds)
    deadline = time.monotonic() + CATCH_UP_SECONDS
    try:
        while True:
            try:
                look_at_standbys(connection.cursor(), max_lag_mb, refuses=True)
                return
            except Refused as late:
                if time.monotonic() >= deadline:
                    raise StepFailed(
                        late.code, f"{CATCH_UP_SECONDS:g} s after the last batch: {late.reason}"
                    ) from None
                waits("standbys that lag")
                time.sleep(LOOK_EVERY_SECONDS)
    finally:
        waits(None)


def wait_for_standbys(connection: Connection, seconds: float) -> list[str]:
    """Wait until all that are connected have replayed what is committed by now; never fails.

    Args:
        connection: idle.
        seconds: at most; 0 does not look at all.

    Returns:
        sentences on those that have not; empty where all have.
    """
    if seconds <= 0:
        return []
    try:
        with transaction(connection) as cursor:
            position = position_now(cursor)
        deadline = time.monotonic() + seconds
        while True:
            with transaction(connection) as cursor:
                behind = [one for one in read_standbys(cursor, position) if one.behind != 0]
            if not behind or time.monotonic() >= deadline:
                break
            time.sleep(LOOK_EVERY_SECONDS)
    except (psycopg2.Error, RunbookError) as error:
        return [f"Whether standbys have the migration could not be asked: {one_line(error)}"]
    if not behind:
        return []
    return [
        f"{seconds:g} s after COMMIT (replica_wait_seconds) standbys have not replayed it:"
        f" {listed([_said(one) for one in behind])}. What reads from them may not see the migration yet"
    ]


def _said(standby: Standby) -> str:
    if standby.behind is None:
        return f"{standby.name} (how far it got is not shown)"
    return f"{standby.name} is {standby.behind} bytes behind ({standby.state})"
