# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading what is true beside a run that is changing it.

No snapshot covers what the status reads: PostgreSQL deparses definitions with the catalogs as they are at that moment,
and waits for locks on the way. So the ledger is asked before and after, and all is read again where it has moved on: a
migration commits its receipt together with its change. What cannot be read without a long wait is left out, and said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import Refused, StepFailed
from ..ledger.journal import open_journal
from ..ledger.ledger import Ledger
from ..postgres.blockers import BlockerWatch
from ..postgres.connection import psycopg2, transaction
from ..postgres.pooler import backend_pid
from ..shapes import Connection, Cursor, IndexEntry, Json, Target
from .facts import database_status

__all__ = ["PatientReader", "read_status"]

T = TypeVar("T")

# How long the status tries to find the database between two changes.
PATIENCE_SECONDS = 10

# A status that waits for a lock stands in the queue before whoever comes after it.
LOCK_TIMEOUT_SECONDS: float = 2

LOCK_NOT_AVAILABLE = "55P03"

# What was being read is gone, or another object has its name by now: relation, column, function, schema, and the
# internal errors of a deparser (manual, "PostgreSQL Error Codes").
GONE = ("42P01", "42703", "42883", "42704", "3F000", "XX000")


def read_status(connection: Connection, target: Target, ledger: Ledger, index: Sequence[IndexEntry]) -> Json:
    """What database_status() returns, all of it from before a change of the runbook or all from after it.

    Args:
        connection: to the database; outside of a transaction.
        target: its options, to ask from a second session who holds a lock.

    Raises:
        StepFailed: the ledger itself cannot be read, or the database does not come to rest.
        psycopg2.Error: any other.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        late = time.monotonic() >= deadline
        with BlockerWatch(target, backend_pid(connection)) as watch:
            try:
                status = _read(connection, ledger, index, watch.sentences)
            except psycopg2.Error as error:
                if error.pgcode not in (*GONE, LOCK_NOT_AVAILABLE):
                    raise
                if late:
                    raise _no_rest(error, watch.sentences()) from None
                status = None
        if status is not None:
            return status
        if late:
            raise _no_rest(None, [])
        time.sleep(0.2)


def _no_rest(error: psycopg2.Error | None, blockers: list[str]) -> StepFailed:
    held = f" A lock is held by {'; '.join(blockers)}." if blockers else ""
    what = (
        "a lock on it was not granted"
        if error is not None and error.pgcode == LOCK_NOT_AVAILABLE
        else "it changes"
    )
    return StepFailed(
        "database_not_at_rest",
        f"The database could not be looked at for {PATIENCE_SECONDS} s, because {what} all the time.{held} Nothing was"
        " changed by looking. Type the same command again when that session has ended.",
    )


def _read(
    connection: Connection,
    ledger: Ledger,
    index: Sequence[IndexEntry],
    blockers: Callable[[], list[str]],
) -> Json | None:
    """The status, or None where the ledger has moved on meanwhile."""
    with transaction(connection) as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true)", (f"{round(LOCK_TIMEOUT_SECONDS * 1000)}ms",)
        )
        before = _mark(cursor, ledger)
        reader = PatientReader(cursor, blockers)
        found = database_status(cursor, ledger, index, reader.read)
        return {**found, "not_read": reader.not_read} if _mark(cursor, ledger) == before else None


def _mark(cursor: Cursor, ledger: Ledger) -> Any:
    """Equal as long as no run has committed anything."""
    return ledger.newest_position(cursor), ledger.unfinished_run_id(cursor), open_journal(cursor)


class PatientReader:
    """Reads one part after the other, and goes on without one whose lock is not granted in time.

    Args:
        cursor: of a transaction with a lock_timeout.
        blockers: says who blocks it.

    Attributes:
        not_read: sentences on what was left out.
    """

    def __init__(self, cursor: Cursor, blockers: Callable[[], list[str]]) -> None:
        self.cursor = cursor
        self.blockers = blockers
        self.not_read: list[str] = []

    def read(self, what: str, function: Callable[[], T], otherwise: T) -> T:
        """What ``function`` returns, or ``otherwise``."""
        self.cursor.execute("SAVEPOINT runbook_reading")
        try:
            value = function()
        except psycopg2.Error as error:
            if error.pgcode != LOCK_NOT_AVAILABLE:
                raise
            self.cursor.execute("ROLLBACK TO SAVEPOINT runbook_reading")
            self._left_out(what)
            return otherwise
        except Refused as error:
            # Somebody has hung code on it. Who is on call gets to know the rest all the same.
            self.cursor.execute("ROLLBACK TO SAVEPOINT runbook_reading")
            self.not_read.append(f"{what}: {error.reason}")
            return otherwise
        self.cursor.execute("RELEASE SAVEPOINT runbook_reading")
        return value

    def _left_out(self, what: str) -> None:
        held = "; ".join(self.blockers())
        self.not_read.append(
            f"{what}: a lock was not granted within {LOCK_TIMEOUT_SECONDS:g} s."
            + (f" It is held by {held}" if held else "")
        )
        # Whoever holds one may hold them all, and the patience is for all parts together.
        self.cursor.execute("SET LOCAL lock_timeout = '100ms'")
