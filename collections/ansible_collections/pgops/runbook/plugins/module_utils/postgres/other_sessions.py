# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sessions of others in the database, and ending them: what was set for new sessions says nothing of those."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ..shapes import Connection, Cursor
from .answers import one_row
from .connection import OF_EVERY_CLIENT, psycopg2, transaction

__all__ = ["OtherSession", "clock", "end_sessions", "other_sessions"]

PAUSE_SECONDS = 0.1

# How long one that was told to end may take for it.
END_SECONDS = 10

# Standbys and subscribers, workers of extensions and of autovacuum are not those of the application.
OTHERS = """
    SELECT a.pid, r.oid::bigint, r.rolname::text, r.rolsuper, r.rolname = session_user,
           coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(a.client_addr::text, 'the server itself'),
           a.state IN ('idle', 'idle in transaction (aborted)')
    FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
    WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend'
      AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_start BETWEEN %s AND %s
      AND NOT (r.rolname = session_user AND a.application_name = %s) ORDER BY a.pid"""

# A session that is let in holds a lock on the database until it is listed among the sessions (InitPostgres). One that
# is listed with another database only works on this one's row.
ON_THE_WAY = """
    SELECT l.pid FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
      AND l.objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND l.pid <> pg_catalog.pg_backend_pid() AND a.datid IS NULL"""

FROM_THE_FIRST, TO_THE_LAST = "-infinity", "infinity"


class OtherSession(NamedTuple):
    """A session of somebody else, or of our role that is none of the runbook's.

    Attributes:
        pid: of the server's process.
        role_oid: of who has logged in.
        role: its name.
        superuser: whether it is one.
        own: whether the runbook logs in as the same role.
        application: its application_name.
        client: address from which it came.
        idle: whether it is outside of a transaction, or in one that has failed; None where nothing tells.
    """

    pid: int
    role_oid: int
    role: str
    superuser: bool
    own: bool
    application: str
    client: str
    idle: bool | None

    def __str__(self) -> str:
        return f"pid {self.pid} (role {self.role}, application {self.application}, from {self.client})"


def other_sessions(
    cursor: Cursor, since: str = FROM_THE_FIRST, until: str = TO_THE_LAST
) -> list[OtherSession]:
    """Sessions of clients in this database that are none of the runbook's.

    Args:
        cursor: of a transaction.
        since, until: when they began, as text of timestamptz.
    """
    # Else the server answers the same until the transaction ends.
    cursor.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
    cursor.execute(OTHERS, (since, until, OF_EVERY_CLIENT["application_name"]))
    return [OtherSession(*row) for row in cursor.fetchall()]


def clock(cursor: Cursor) -> str:
    """The server's time, as text of timestamptz."""
    cursor.execute("SELECT pg_catalog.clock_timestamp()::pg_catalog.text")
    return one_row(cursor)[0]


def end_sessions(
    connection: Connection,
    keep: Sequence[int],
    grace_seconds: float,
    since: str = FROM_THE_FIRST,
) -> tuple[int, list[OtherSession]]:
    """End the sessions that have begun until now: those that do nothing at once, others when they have had time.

    Args:
        connection: outside of a transaction.
        keep: OIDs of roles whose sessions stay.
        grace_seconds: for how long a session may go on with its transaction.
        since: when they began at the earliest, as text of timestamptz.

    Returns:
        how many were ended, and those that are still there: they may not be ended by our role, or do not end.
    """
    begun = time.monotonic()
    with transaction(connection) as cursor:
        until = clock(cursor)
    ended: set[int] = set()
    while True:
        waited = time.monotonic() - begun
        with transaction(connection) as cursor:
            arriving = _on_the_way(cursor)
            sessions = [one for one in other_sessions(cursor, since, until) if one.role_oid not in keep]
            for one in sessions:
                if (one.idle or waited >= grace_seconds) and _end(cursor, one.pid):
                    ended.add(one.pid)
        if not (sessions or arriving) or waited >= grace_seconds + END_SECONDS:
            return len(ended), sessions
        time.sleep(PAUSE_SECONDS)


def _on_the_way(cursor: Cursor) -> bool:
    cursor.execute(ON_THE_WAY)
    return bool(cursor.fetchall())


def _end(cursor: Cursor, pid: int) -> bool:
    cursor.execute("SAVEPOINT ending")
    try:
        cursor.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
    except psycopg2.errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT ending")
        return False
    return True
