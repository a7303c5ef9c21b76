# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for locks that others have: for so long, so often, and with their names."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..errors import Refused, StepFailed
from ..sentences import listed
from ..shapes import Connection, Cursor, Json, Target
from .answers import one_row
from .blockers import BlockerWatch, sessions_that_hold_databases
from .connection import psycopg2
from .message import one_line
from .pooler import backend_pid

__all__ = [
    "LOCK_CODES",
    "LOCK_WAIT_SPEC",
    "LockPolicy",
    "named_waits_for_databases",
    "waiting_at_most",
    "with_lock_retries",
]

# 55P03 lock_not_available, 40P01 deadlock_detected (PostgreSQL manual, appendix "PostgreSQL Error Codes").
LOCK_CODES = ("55P03", "40P01")

# Two transactions have changed the same row of a catalog, the other one first. That message is never translated (elog).
CHANGED_MEANWHILE = "tuple concurrently"

# Longest pause between two statements of a transaction that holds locks; it is for a module that hangs or whose
# network is gone, since the module itself computes only for moments.
IDLE_IN_TRANSACTION_SECONDS = 60

# How long whoever makes or drops a copy waits for the catalog of databases: nobody queues behind that.
DATABASES_SECONDS: float = 30

# Options of the modules that wait for locks in production.
LOCK_WAIT_SPEC = {
    "lock_timeout_seconds": {"type": "float", "default": 2},
    "lock_attempts": {"type": "int", "default": 10},
    "lock_pause_seconds": {"type": "float", "default": 3},
}

T = TypeVar("T")


class LockPolicy:
    """How long to wait for a lock, and how often.

    Args:
        timeout_seconds: lock_timeout of each attempt; a short one keeps the application from queueing
            behind the migration.
        attempts: how many attempts, the last one with the same limit as the others.
        statement_timeout_seconds: greatest time of one statement; 0 means none.
        pause_seconds: pause between attempts; up to half of it is added by chance, so that two waiting
            programs do not meet again and again.
    """

    def __init__(
        self,
        timeout_seconds: float = 2.0,
        attempts: int = 10,
        pause_seconds: float = 3.0,
        statement_timeout_seconds: float = 0.0,
    ) -> None:
        self.statement_timeout_seconds = statement_timeout_seconds
        self.timeout_seconds = timeout_seconds
        self.attempts = attempts
        self.pause_seconds = pause_seconds

    @classmethod
    def from_params(cls, params: Json) -> LockPolicy:
        """The policy that a module's parameters give (see LOCK_SPEC, LOCK_WAIT_SPEC).

        Raises:
            Refused: for values that would mean to wait for ever, or not to try at all.
        """
        if params["lock_timeout_seconds"] < 0.001 or params["lock_attempts"] < 1:
            raise Refused(
                "setting_invalid",
                "lock_timeout_seconds must be at least 0.001 and lock_attempts at least 1: behind a migration that"
                " waits for a lock without a limit, the application queues.",
            )
        return cls(
            params["lock_timeout_seconds"],
            params["lock_attempts"],
            params["lock_pause_seconds"],
            params.get("statement_timeout_seconds", 0),
        )

    def set_in(self, cursor: Cursor) -> None:
        """Set the limits for the rest of the cursor's transaction."""
        for name, seconds in (
            ("lock_timeout", self.timeout_seconds),
            ("statement_timeout", self.statement_timeout_seconds),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_SECONDS),
        ):
            cursor.execute("SELECT set_config(%s, %s, true)", (name, f"{int(seconds * 1000)}ms"))

    def pause(self) -> float:
        return self.pause_seconds * (1 + random.random() / 2)  # noqa: S311  (jitter, not a secret)


def with_lock_retries(
    attempt: Callable[[], T],
    policy: LockPolicy,
    blockers: Callable[[], list[str]] = lambda: [],
    then: str = "Run again at a quieter time.",
) -> T:
    """Call ``attempt()`` until it gets its locks, at most ``policy.attempts`` times.

    Args:
        attempt: function that runs one whole transaction and returns a value.
        policy: LockPolicy.
        blockers: function that says who blocked the attempt that just ended.
        then: what to do where it did not get them.

    Raises:
        StepFailed: when the last attempt did not get its locks either.
    """
    seen: list[str] = []
    for number in range(1, policy.attempts + 1):
        try:
            return attempt()
        except psycopg2.Error as error:
            if error.pgcode not in LOCK_CODES and CHANGED_MEANWHILE not in str(error):
                raise
            seen = blockers() or seen
            message = one_line(error)
        if number < policy.attempts:
            time.sleep(policy.pause())
    who = "; ".join(seen) if seen else "nobody could be named, the session had already ended"
    raise StepFailed(
        "lock_not_available",
        f"No lock after {policy.attempts} attempts of {policy.timeout_seconds:g} s each ({message})."
        f" It is held by: {who}. {then}",
        blocked_by=seen,
    )


def waiting_at_most(
    connection: Connection,
    target: Target,
    policy: LockPolicy,
    attempt: Callable[[], T],
    then: str,
    tell: Callable[[str], object],
) -> T:
    """Call ``attempt`` until it gets its locks; each time none of its statements waits longer than the policy has it.

    Args:
        connection: outside of a transaction; what ``attempt`` begins it has to end, also where it fails.
        target: from where a second session sees who blocks.
        attempt: changes nothing where it fails.
        then: what to do where it did not get them.
        tell: is given what there is to be said of standbys.

    Raises:
        StepFailed: it did not get them; with who has them.
    """
    before = _limit(connection, f"{round(policy.timeout_seconds * 1000)}ms")
    try:
        with BlockerWatch(target, backend_pid(connection)) as watch:
            done = with_lock_retries(attempt, policy, watch.sentences, then)
        for sentence in watch.said_of_standbys():
            tell(sentence)
        return done
    finally:
        if not connection.closed:
            _limit(connection, before)


@contextmanager
def named_waits_for_databases(cursor: Cursor) -> Iterator[None]:
    """Inside, no statement waits for a lock longer than DATABASES_SECONDS.

    Args:
        cursor: of a session with autocommit, for statements on whole databases.

    Raises:
        StepFailed: one has waited so long; with who has the lock.
    """
    _limit(cursor.connection, f"{round(DATABASES_SECONDS * 1000)}ms")
    try:
        yield
    except psycopg2.errors.LockNotAvailable as error:
        holders = sessions_that_hold_databases(cursor)
        raise StepFailed(
            "lock_not_available",
            f"The server's databases could not be changed: a lock was waited for, for {DATABASES_SECONDS:g} s"
            f" ({one_line(error)}). It is held by: {listed(holders) or 'nobody could be named'}. When that has ended,"
            " type the same command again.",
            blocked_by=holders,
        ) from None


def _limit(connection: Connection, value: str) -> str:
    """Set lock_timeout for the session; returns what it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.current_setting('lock_timeout')")
        (before,) = one_row(cursor)
        cursor.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (value,))
    if not connection.autocommit:
        connection.commit()
    return before
