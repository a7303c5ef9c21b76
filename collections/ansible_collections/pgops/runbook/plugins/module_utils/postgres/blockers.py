# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who blocks us: seen while we wait, since nobody can be asked any more once the wait has timed out."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from ..errors import RunbookError
from ..shapes import Cursor, Target
from .connection import connect, psycopg2

__all__ = ["BlockerWatch"]

LOOK_EVERY_SECONDS = 0.2

BLOCKERS = """
    SELECT pid, usename, application_name, state,
           extract(epoch FROM clock_timestamp() - coalesce(xact_start, backend_start))::int, left(query, 200)
    FROM pg_catalog.pg_stat_activity WHERE pid = ANY (pg_catalog.pg_blocking_pids(%s)) ORDER BY xact_start"""


# Locks that keep readers or writers waiting (manual, table 13.2), of tables and not of the catalog.
HOLDERS = """
    SELECT a.pid, a.usename, a.application_name, a.state,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start))::int, left(a.query, 200),
           string_agg(DISTINCT l.relation::pg_catalog.regclass::text, ', ')
    FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND l.relation >= 16384
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    GROUP BY a.pid, a.usename, a.application_name, a.state, a.xact_start, a.backend_start, a.query
    ORDER BY a.xact_start"""


def sessions_that_hold(cursor: Cursor) -> list[str]:
    """Sessions that hold locks on tables of this database for which others may have to wait, and on which."""
    cursor.execute(HOLDERS)
    return [f"{_session(*row)} holds {tables}" for *row, tables in cursor.fetchall()]


def _session(pid: int, user: str, application: str | None, state: str, age: int, query: str | None) -> str:
    return (
        f"pid {pid} (user {user}, application {application or 'unnamed'}, {state},"
        f" its transaction {age} s old): {' '.join((query or '').split())}"
    )


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
        return [_session(*seen) for seen in self._seen]

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
