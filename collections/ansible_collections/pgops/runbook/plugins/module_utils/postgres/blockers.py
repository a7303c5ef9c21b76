# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What we wait for: seen while we wait, since nobody can be asked any more once the wait has timed out."""

from __future__ import annotations

import time
from typing import Any

from ..activity import waits
from ..errors import RunbookError
from ..shapes import Cursor, Target
from .connection import connect, psycopg2
from .other_encodings import as_bytes, read_name
from .watch import Watch

__all__ = ["UNCONFIRMED", "BlockerWatch"]

FIRST_LOOK_SECONDS = 0.1

LOOK_EVERY_SECONDS = 0.2

# As bytes: who blocks may be in a database of another encoding.
SESSION = f"""
    a.pid, {as_bytes("a.usename")}, {as_bytes("a.application_name")},
    CASE WHEN a.wait_event_type = 'Lock' THEN 'waits itself' ELSE a.state END,
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start))::int,
    {as_bytes("left(a.query, 200)")}"""

# Also who blocks those that block, since only the end of the first of them helps; those that wait for nobody come
# first. An autovacuum that waits for a transaction is itself in the way of others.
BLOCKERS = f"""
    WITH RECURSIVE ahead (pid) AS (
        SELECT b.pid FROM unnest(pg_catalog.pg_blocking_pids(%s)) AS b (pid)
        UNION
        SELECT b.pid FROM ahead AS w, LATERAL unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid) WHERE w.pid <> 0)
    -- In the place of 0 stands a transaction that was prepared and has no session (manual, pg_blocking_pids).
    SELECT {SESSION}
    FROM ahead LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = ahead.pid WHERE a.pid IS NOT NULL OR ahead.pid = 0
    ORDER BY a.wait_event_type IS NOT DISTINCT FROM 'Lock', a.xact_start"""

# Their locks have no pid, and the virtual transaction of the session that prepared them, or -1 after a restart
# (src/backend/access/transam/twophase.c; the manual has -1 only). Each holds the lock on its own number.
PREPARED = f"""
    SELECT {as_bytes("p.gid")}, {as_bytes("p.owner::text")}, {as_bytes("p.database::text")},
           extract(epoch FROM clock_timestamp() - p.prepared)::int
    FROM pg_catalog.pg_prepared_xacts AS p
    JOIN pg_catalog.pg_locks AS own ON own.pid IS NULL AND own.transactionid = p.transaction
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_locks AS l
        WHERE l.pid IS NULL AND l.virtualtransaction = own.virtualtransaction AND {{holds}})
    ORDER BY p.prepared"""

# What tells one lock from another (manual, "pg_locks").
LOCKED = [
    "locktype",
    "database",
    "relation",
    "page",
    "tuple",
    "transactionid",
    "classid",
    "objid",
    "objsubid",
]

WHAT_IS_WAITED_FOR = f"""EXISTS (
            SELECT FROM pg_catalog.pg_locks AS w WHERE w.pid = ANY (%(pids)s) AND NOT w.granted
            AND ({", ".join(f"l.{column}" for column in LOCKED)})
                IS NOT DISTINCT FROM ({", ".join(f"w.{column}" for column in LOCKED)}))"""


# How long a COMMIT keeps its locks for a standby that was there a moment before.
STANDBY_SECONDS: float = 30

# One statement of a session differs from the next by its query_start.
WAITS_FOR_STANDBY = (
    "SELECT query_start::text FROM pg_catalog.pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
)

# The server looks once more itself: by now the COMMIT may have been confirmed, and its session be at another statement.
LET_GO = """
    SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity
    WHERE pid = %s AND wait_event = 'SyncRep' AND query_start = %s::timestamptz"""

UNCONFIRMED = (
    "The standbys that synchronous_standby_names asks for did not confirm a COMMIT within {seconds:g} s. It is done on"
    " this server, and its locks were let go; a failover to a standby that does not have it would lose it. Bring the"
    " standby back before anybody fails over"
)

# Locks that keep readers or writers waiting (manual, table 13.2).
STRONG = "l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"

# Of tables and not of the catalog.
ON_TABLES = f"""l.relation >= 16384 AND {STRONG}
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"""

# Of the catalogs that all databases of the server share, and of the databases themselves.
ON_DATABASES = f"l.database = 0 AND {STRONG}"

HOLDERS = f"""
    SELECT {SESSION},
           string_agg(DISTINCT coalesce(l.relation, l.classid)::pg_catalog.regclass::text, ', ')
    FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND {{holds}}
    GROUP BY a.pid, a.usename, a.application_name, a.wait_event_type, a.state, a.xact_start, a.backend_start, a.query
    ORDER BY a.xact_start"""


def sessions_that_hold(cursor: Cursor) -> list[str]:
    """Who holds locks on tables of this database for which others may have to wait, and on which."""
    return _holders(cursor, ON_TABLES)


def sessions_that_hold_databases(cursor: Cursor) -> list[str]:
    """For whom whoever makes, drops or changes a database has to wait, and on which catalog's account."""
    return _holders(cursor, ON_DATABASES)


def _holders(cursor: Cursor, holds: str) -> list[str]:
    cursor.execute(HOLDERS.format(holds=holds))
    holders = [f"{_session(cursor, *row)} holds {tables}" for *row, tables in cursor.fetchall()]
    cursor.execute(PREPARED.format(holds=holds))
    return holders + [_prepared(cursor, *row) for row in cursor.fetchall()]


def _blockers(cursor: Cursor, pid: int) -> list[str]:
    """Who is in the way of a session, and of whoever is; those that wait for nobody themselves come first."""
    cursor.execute(BLOCKERS, (pid,))
    rows = cursor.fetchall()
    sessions = [row for row in rows if row[0]]
    prepared: list[str] = []
    if len(sessions) < len(rows):
        waiting = [pid, *(row[0] for row in sessions)]
        cursor.execute(PREPARED.format(holds=WHAT_IS_WAITED_FOR), {"pids": waiting})
        prepared = [_prepared(cursor, *row) for row in cursor.fetchall()]
    return prepared + [_session(cursor, *row) for row in sessions]


def _prepared(cursor: Cursor, gid: Any, owner: Any, database: Any, age: int) -> str:
    """A row of PREPARED in words."""
    gid, owner, database = (read_name(cursor, one) for one in (gid, owner, database))
    return (
        f"a transaction that has no session any more: it was prepared for COMMIT PREPARED {age} s ago (name {gid}, user"
        f" {owner}, database {database}), and keeps its locks until COMMIT PREPARED or ROLLBACK PREPARED"
    )


def _session(cursor: Cursor, pid: int, user: Any, application: Any, state: str, age: int, query: Any) -> str:
    """A row of SESSION in words."""
    user, application, query = (
        "" if one is None else read_name(cursor, one) for one in (user, application, query)
    )
    return (
        f"pid {pid} (user {user}, application {application or 'unnamed'}, {state},"
        f" its transaction {age} s old): {' '.join(query.split())}"
    )


class BlockerWatch(Watch):
    """Watches from a second connection which sessions block a backend; a context manager.

    They are told to whoever watches this process (see activity.waits).

    A COMMIT that waits for a standby is done by then, and only keeps its locks and is not seen yet: that wait, which no
    timeout ends, is ended here (manual, "Synchronous Replication").

    Attributes:
        unconfirmed: whether that was so.

    Args:
        target: connection options.
        backend_pid: the backend that may have to wait.
    """

    def __init__(self, target: Target, backend_pid: int) -> None:
        super().__init__()
        self.target = target
        self.backend_pid = backend_pid
        self.unconfirmed = False
        self._seen: list[str] = []
        self._told = False

    def sentences(self) -> list[str]:
        """Who was last seen to block: pid, user, application, state, age of transaction, query."""
        return list(self._seen)

    def said_of_standbys(self) -> list[str]:
        """A sentence where a COMMIT was not confirmed."""
        return [UNCONFIRMED.format(seconds=STANDBY_SECONDS)] if self.unconfirmed else []

    def _watch(self) -> None:
        # Most of what is watched is over by then, and needs no second connection.
        if self._stop.wait(FIRST_LOOK_SECONDS):
            return
        try:
            connection = connect(self.target, patience=0)
        except RunbookError:
            return  # without a second connection the migration still runs, only unobserved
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                commit: tuple[str, float] | None = None
                while True:
                    self._tell(_blockers(cursor, self.backend_pid))
                    commit = self._look_at_commit(cursor, commit)
                    if self._stop.wait(LOOK_EVERY_SECONDS):
                        break
        except psycopg2.Error:
            pass  # the watch ends with its connection; the waiting itself is bounded elsewhere
        finally:
            self._tell([])
            connection.close()

    def _tell(self, blockers: list[str]) -> None:
        if blockers:
            self._seen = blockers
            waits("; ".join(self.sentences()))
        elif self._told:
            waits(None)
        self._told = bool(blockers)

    def _look_at_commit(self, cursor: Cursor, waits: tuple[str, float] | None) -> tuple[str, float] | None:
        """Let a COMMIT go that waits for a standby too long.

        Args:
            waits: what this returned the last time: which statement waits, and since when by our clock; or None.
        """
        cursor.execute(WAITS_FOR_STANDBY, (self.backend_pid,))
        row = cursor.fetchone()
        if row is None:
            return None
        if waits is None or waits[0] != row[0]:
            waits = (row[0], time.monotonic())
        if time.monotonic() - waits[1] >= STANDBY_SECONDS:
            cursor.execute(LET_GO, (self.backend_pid, waits[0]))
            self.unconfirmed = self.unconfirmed or cursor.fetchone() is not None
        return waits
