# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step waits for, never without an end: another step of the same database, and locks of other sessions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ..errors import Refused, StepFailed
from ..ledger.ledger import RUN_LOCK, Ledger
from ..postgres.answers import one_row
from ..postgres.blockers import sessions_that_hold
from ..postgres.connection import psycopg2, transaction
from ..shapes import Connection, Cursor, Json

__all__ = ["patience", "take_run_lock", "wait_not_long"]

# How long a step waits for another step of the same database to end.
LOCK_WAIT_SECONDS: float = 10

# How long a lock is waited for that is needed to read the ledger, by steps whose work is of that kind all the time.
PATIENCE_SECONDS: float = 10


def take_run_lock(connection: Connection, seconds: float | None = None) -> None:
    """One step at a time in one database.

    The lock is the session's: it ends with the connection, so a dead holder does not block.

    Args:
        connection: to the target.
        seconds: how long to wait for another step; LOCK_WAIT_SECONDS.

    Raises:
        Refused: naming the session that holds it.
    """
    deadline = time.monotonic() + (LOCK_WAIT_SECONDS if seconds is None else seconds)
    while True:
        with transaction(connection) as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (RUN_LOCK,))
            if one_row(cursor)[0]:
                return
            holder = Ledger().session_at_work(cursor)
        if time.monotonic() >= deadline:
            with transaction(connection) as cursor:
                run = Ledger().unfinished_run(cursor)
            raise Refused("another_run_in_progress", _held_by(run, holder))
        time.sleep(0.25)


def _held_by(run: Json | None, session: Json | None) -> str:
    name = f": {run['run_id']} by {run['operator']}, since {run['started']}" if run else ""
    at_work = (
        f" (server session pid {session['pid']} of user {session['user']}, since {session['since']})"
        if session
        else ""
    )
    return (
        f"Another run is in progress in this database{name}{at_work}."
        " Wait until it has finished; ansible-playbook playbooks/status.yml shows it."
    )


@contextlib.contextmanager
def patience(connection: Connection, step: str) -> Iterator[None]:
    """Nothing inside waits for a lock without an end.

    Raises:
        StepFailed: a lock was not granted in time; with the sessions that hold some.
    """
    with transaction(connection) as cursor:
        wait_not_long(cursor, local=False)
    try:
        yield
    except psycopg2.errors.LockNotAvailable:
        with transaction(connection) as cursor:
            holders = sessions_that_hold(cursor)
        raise StepFailed(
            "lock_not_available",
            f"Step {step} waited {PATIENCE_SECONDS:g} s for a lock. {'; '.join(holders) or 'It is free now'}."
            " Type the same command again when that session has ended.",
        ) from None
    finally:
        if not connection.closed:
            with transaction(connection) as cursor:
                cursor.execute("SET lock_timeout = 0")  # what connect() has set, not what the role has


def wait_not_long(cursor: Cursor, local: bool) -> None:
    """Wait for a lock no longer than PATIENCE_SECONDS; until the transaction ends where ``local``."""
    cursor.execute(
        "SELECT pg_catalog.set_config('lock_timeout', %s, %s)", (f"{round(PATIENCE_SECONDS * 1000)}ms", local)
    )
