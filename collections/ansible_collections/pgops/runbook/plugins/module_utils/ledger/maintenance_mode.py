# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""maintenance_mode from its beginning to its end, with the note in the ledger on what has to be given back.

The note and what it is about are one transaction: whoever dies, both are there or neither. What is done with sessions
comes after it, and is done once more by whoever comes next where it was not ended.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..errors import Refused
from ..postgres.connection import transaction
from ..postgres.maintenance_mode import READ_ONLY, enter_mode, leave_mode
from ..postgres.other_sessions import end_sessions
from ..postgres.standbys import commit_without_standbys
from ..sentences import listed
from ..shapes import Connection, Cursor, Json
from .upgrade import release_of

__all__ = ["begin_mode", "end_mode"]

# Of the layout that has the column.
RELEASE = 8

# Sessions that began while they could only read: for how long one may go on with its transaction.
GRACE_SECONDS = 5


def begin_mode(
    connection: Connection, run_id: str, mode: str, keep: Sequence[str], grace_seconds: float
) -> Json:
    """Keep the application out, or from writing; when it returns, it does neither.

    Args:
        connection: outside of a transaction.
        run_id: of the run that notes it.
        mode, keep: see postgres/maintenance_mode.py, check_holds.
        grace_seconds: for how long a session may go on with its transaction.

    Returns:
        dict for the receipt: mode, ended_sessions.

    Raises:
        Refused: it cannot be done, or a session does not end; of the latter the note stays until end_mode.
    """
    with transaction(connection) as cursor:
        noted = enter_mode(cursor, mode, keep)
        _note(cursor, run_id, noted)
    ended, left = end_sessions(connection, noted["stay"], grace_seconds)
    if left:
        raise Refused(
            "maintenance_mode_not_held",
            f"maintenance_mode {mode} holds for new sessions, and these from before may not be ended by the runbook's"
            f" role, or do not end: {listed([str(one) for one in left])}. What was set is taken back at the end of this"
            " run. End them, and run again.",
        )
    return {"mode": mode, "ended_sessions": ended}


def end_mode(connection: Connection, run_id: str) -> tuple[str | None, list[str]]:
    """Give back what the run has taken from the application in PostgreSQL, where it has; as often as it is called.

    Args:
        connection: outside of a transaction; to the database, or to the one that has its place.
        run_id: of the run that noted it.

    Returns:
        the mode that was ended, or None, and what there is to be said.
    """
    with transaction(connection) as cursor:
        commit_without_standbys(cursor, local=True)
        noted = _noted(cursor, run_id)
        if noted is None:
            return None, []
        said = leave_mode(cursor, noted)
        if noted["mode"] != READ_ONLY:
            _note(cursor, run_id, None)
            return noted["mode"], said
    # What a session has begun with it keeps: a pool would go on handing out sessions that cannot write.
    _, left = end_sessions(connection, [noted["own"]], GRACE_SECONDS, since=noted["since"])
    with transaction(connection) as cursor:
        commit_without_standbys(cursor, local=True)
        _note(cursor, run_id, None)
    if left:
        said.append(
            "These sessions began while the database was read-only, could not be ended, and go on without writing:"
            f" {listed([str(one) for one in left])}"
        )
    return noted["mode"], said


def _note(cursor: Cursor, run_id: str, noted: Json | None) -> None:
    cursor.execute(
        "UPDATE runbook.run SET maintenance = %s WHERE run_id = %s",
        (None if noted is None else json.dumps(noted), run_id),
    )


def _noted(cursor: Cursor, run_id: str) -> Json | None:
    if release_of(cursor) < RELEASE:
        return None
    cursor.execute("SELECT maintenance FROM runbook.run WHERE run_id = %s FOR UPDATE", (run_id,))
    row = cursor.fetchone()
    return row[0] if row is not None else None
