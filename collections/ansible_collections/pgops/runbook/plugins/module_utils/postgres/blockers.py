# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who blocks us: seen while we wait, since nobody can be asked any more once the wait has timed out."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from ..errors import RunbookError
from ..shapes import Target
from .connection import connect, psycopg2

__all__ = ["BlockerWatch"]

LOOK_EVERY_SECONDS = 0.2

BLOCKERS = """
    SELECT pid, usename, application_name, state,
           extract(epoch FROM clock_timestamp() - coalesce(xact_start, backend_start))::int, left(query, 200)
    FROM pg_catalog.pg_stat_activity WHERE pid = ANY (pg_catalog.pg_blocking_pids(%s)) ORDER BY xact_start"""


class BlockerWatch:
    """Watches from a second connection which sessions block a backend; a context manager.

    Args:
        target: connection options.
        backend_pid: the backend that may have to wait.
    """

    def __init__(self, target: Target, backend_pid: int) -> None:
        self.target = target
        self.backend_pid = backend_pid
        self._seen: list[tuple[Any, ...]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> BlockerWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def sentences(self) -> list[str]:
        """The sessions last seen to block: pid, user, application, state, age of transaction, query."""
        return [
            f"pid {pid} (user {user}, application {application or 'unnamed'}, {state},"
            f" its transaction {age} s old): {' '.join((query or '').split())}"
            for pid, user, application, state, age, query in self._seen
        ]

    def _watch(self) -> None:
        try:
            connection = connect(self.target)
        except RunbookError:
            return  # without a second connection the migration still runs, only unobserved
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                while not self._stop.wait(LOOK_EVERY_SECONDS):
                    cursor.execute(BLOCKERS, (self.backend_pid,))
                    self._seen = cursor.fetchall() or self._seen
        except psycopg2.Error:
            pass  # the watch ends with its connection; the waiting itself is bounded elsewhere
        finally:
            connection.close()
