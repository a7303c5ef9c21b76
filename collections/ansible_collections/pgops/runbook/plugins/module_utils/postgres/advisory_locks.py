# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Advisory locks of a session, which no script may give away: pg_advisory_unlock_all() releases those of everybody.

What a transaction holds of them cannot be released before it ends (manual, "Advisory Locks").
"""

from __future__ import annotations

from ..errors import StepFailed
from ..shapes import Cursor
from .answers import one_row
from .statement_limits import in_transaction

__all__ = ["hold_in_transaction", "holds", "lock_of", "locks_held", "take", "take_again"]

# One with a key of 64 bits has objsubid 1, one with two of 32 bits 2 (manual, "pg_locks").
HELD = """
    SELECT l.classid::pg_catalog.int8, l.objid::pg_catalog.int8, l.objsubid FROM pg_catalog.pg_locks l
    WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
      AND l.granted AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock'"""

#: (high 32 bits, low 32 bits, kind of its key).
Lock = tuple[int, int, int]


def locks_held(cursor: Cursor) -> list[Lock]:
    """Those that the session holds alone."""
    cursor.execute(HELD)
    return cursor.fetchall()


def lock_of(key: int) -> Lock:
    """The lock with a key of 64 bits."""
    return (key >> 32 & 0xFFFFFFFF, key & 0xFFFFFFFF, 1)


def holds(cursor: Cursor, key: int) -> bool:
    """Whether the session holds, alone, the lock with a key of 64 bits."""
    return lock_of(key) in locks_held(cursor)


def hold_in_transaction(cursor: Cursor, locks: list[Lock]) -> None:
    """Nobody else gets them before the transaction has ended, whatever is released in it.

    Args:
        cursor: of a transaction; outside of one it has no effect.
        locks: which the session holds.
    """
    for lock in locks:
        _call(cursor, "pg_advisory_xact_lock", lock)


def take(cursor: Cursor, lock: Lock) -> None:
    """Hold one for the session, as soon as nobody else does."""
    _call(cursor, "pg_advisory_lock", lock)


def take_again(cursor: Cursor, locks: list[Lock]) -> None:
    """Hold for the session those that were released.

    Args:
        cursor: of the transaction in which they were held, or in autocommit mode.
        locks: what locks_held() gave before.

    Raises:
        StepFailed: somebody else has got one of them meanwhile.
    """
    held = locks_held(cursor) if locks else []
    for lock in locks:
        if lock in held and in_transaction(cursor.connection):
            # That the transaction holds it hides whether the session does; but so nobody gets it in between.
            _call(cursor, "pg_advisory_unlock", lock)
            _call(cursor, "pg_advisory_lock", lock)
        elif lock not in held and not _call(cursor, "pg_try_advisory_lock", lock):
            raise StepFailed(
                "run_lock_lost",
                "A script released the lock of this run (pg_advisory_unlock_all, DISCARD ALL), and another session"
                " holds it now. Take that statement out of the script. What is true:"
                " ansible-playbook playbooks/status.yml",
            )


def _call(cursor: Cursor, function: str, lock: Lock) -> object:
    high, low, kind = lock
    # As texts: of the least number PostgreSQL would take the sign by itself, and what is left is none.
    if kind == 1:
        number = high << 32 | low
        key = [str(number - (1 << 64) * (number >> 63))]
        cursor.execute(f"SELECT pg_catalog.{function}(%s::pg_catalog.int8)", key)
    else:
        key = [str(part - (1 << 32) * (part >> 31)) for part in (high, low)]
        cursor.execute(f"SELECT pg_catalog.{function}(%s::pg_catalog.int4, %s::pg_catalog.int4)", key)
    return one_row(cursor)[0]
