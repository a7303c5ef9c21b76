# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a connection has one session of the server for itself, as the run's lock and every SET need it.

A pooler may give each transaction whichever session is free. What we set then stays behind in sessions of the
application, and the lock that keeps a second run out is somebody else's the next moment.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Refused
from ..shapes import Connection
from .answers import one_row

__all__ = ["backend_pid", "refuse_shared_session", "shares_sessions"]

# In turns: a pool that hands out the session that was given back last gives both connections the same one, and a pool
# that hands them out in a circle gives each of them another one every time.
TURNS = 8


def backend_pid(connection: Connection) -> int:
    """Process id of the server's session, as that says; what libpq was told at the beginning may be a pooler's own.

    Args:
        connection: outside of a transaction.
    """
    before = connection.autocommit
    # A pooler that gives a session for one statement knows no BEGIN.
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_backend_pid()")
            return one_row(cursor)[0]
    finally:
        if not connection.closed:
            connection.autocommit = before


def shares_sessions(first: Connection, second: Connection) -> bool:
    """Whether two connections do not have one session each, the same from one transaction to the next.

    Args:
        first, second: both open, and outside of a transaction.
    """
    seen: tuple[set[int], set[int]] = (set(), set())
    for _ in range(TURNS):
        for connection, pids in zip((first, second), seen):
            # Twice in a row: asked by turns, each would have its own of two sessions that are handed out in a circle.
            pids |= {backend_pid(connection), backend_pid(connection)}
    return any(len(pids) > 1 for pids in seen) or not seen[0].isdisjoint(seen[1])


def refuse_shared_session(connection: Connection, another: Callable[[], Connection]) -> None:
    """Refuse a pooler that gives a session for one transaction only. One that gives it for the connection is fine.

    Args:
        connection: outside of a transaction.
        another: opens a second one to the same place.

    Raises:
        Refused: with what to set instead.
    """
    second = another()
    try:
        if not shares_sessions(connection, second):
            return
    finally:
        second.close()
    raise Refused(
        "connection_pooled",
        "The connection goes through a pooler that gives each transaction whichever session of the server is free (as"
        " PgBouncer does with pool_mode = transaction). The run's lock would keep nobody out, and settings of the"
        " runbook would stay in sessions of the application. Set db_host and db_port to the server itself, or to a pool"
        " that gives a session for as long as the connection lasts (pool_mode = session); then type the same command"
        " again.",
    )
