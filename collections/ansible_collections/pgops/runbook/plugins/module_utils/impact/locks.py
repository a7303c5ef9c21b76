# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Locks of statements that commit by themselves: looked at from a second session, since they are gone afterwards."""

from __future__ import annotations

import time

from ..errors import RunbookError
from ..postgres.connection import connect_again, psycopg2
from ..postgres.watch import Watch
from ..shapes import Connection, Json
from .meter import HeldLock, held_locks

__all__ = ["LOOK_EVERY_SECONDS", "LockSampler"]

# A lock that is held for less may be missed. The policy asks for locks that are held for seconds.
LOOK_EVERY_SECONDS = 0.05


class LockSampler(Watch):
    """Samples which locks a session holds on tables, until the context ends.

    Args:
        connection: the session; the sampler makes a connection of its own beside it.

    Attributes:
        observed: whether it could look until the end; without a connection to spare the statement runs all
            the same.
        locks: list of dict: table, oid, mode, held_seconds.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.observed = True
        self._seen: dict[HeldLock, tuple[float, float]] = {}

    @property
    def locks(self) -> list[Json]:
        return [
            {"table": name, "oid": oid, "mode": mode, "held_seconds": round(last - first, 3)}
            for (oid, name, mode), (first, last) in self._seen.items()
        ]

    def _watch(self) -> None:
        try:
            own = connect_again(self.connection)
        except RunbookError:
            self.observed = False
            return
        own.autocommit = True
        pid = self.connection.info.backend_pid
        try:
            with own.cursor() as cursor:
                while not self._stop.wait(LOOK_EVERY_SECONDS):
                    now = time.monotonic()
                    for lock in held_locks(cursor, pid):
                        first, _ = self._seen.get(lock, (now, now))
                        self._seen[lock] = (first, now + LOOK_EVERY_SECONDS)
        except psycopg2.Error:
            self.observed = False
        finally:
            own.close()
