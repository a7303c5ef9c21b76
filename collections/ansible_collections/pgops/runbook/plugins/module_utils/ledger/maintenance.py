# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which runs have taken the application out of service, and not back.

Noted before the command is run that does it: a run that is killed at any moment leaves a note, and whoever comes next
takes the application back. No method commits.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Cursor, Json
from .ledger import UTC_TEXT, Ledger
from .upgrade import release_of

__all__ = ["note_in_service", "note_out_of_service", "out_of_service"]

# Of the layout that has the columns.
RELEASE = 5


def note_out_of_service(cursor: Cursor, run_id: str, close_command: Sequence[str] | None) -> None:
    """The run is about to take the application out of service.

    Args:
        close_command: words of the command that takes it back; for people to read, and never run from here: who may
            write the ledger must not be able to run commands on the controller. None where no command takes it out of
            service, but PostgreSQL itself does (ledger/maintenance_mode.py).
    """
    cursor.execute(
        "UPDATE runbook.run SET out_of_service_since = clock_timestamp(), in_service_again = NULL, close_command = %s"
        " WHERE run_id = %s",
        (None if close_command is None else list(close_command), run_id),
    )


def note_in_service(cursor: Cursor, run_id: str) -> bool:
    """The application was taken back into service; returns whether it was noted as being out of it."""
    if release_of(cursor) < RELEASE:
        return False
    cursor.execute(
        "UPDATE runbook.run SET in_service_again = clock_timestamp() WHERE run_id = %s"
        " AND out_of_service_since IS NOT NULL AND in_service_again IS NULL",
        (run_id,),
    )
    return cursor.rowcount == 1


def out_of_service(cursor: Cursor, but: str) -> list[Json]:
    """Runs that have taken the application out of service and have not noted that they took it back, oldest first.

    Args:
        but: a run that does not count, the one that asks.

    Returns:
        dicts: run_id, playbook, operator, controller, since (UTC text), close_command (None: no command took it out of
        service), mode (that holds in PostgreSQL, or None), ended (bool), lease_expired (bool), at_work (whether a step
        of some run is at work in the database).
    """
    if not Ledger().exists(cursor) or release_of(cursor) < RELEASE:
        return []
    at_work = Ledger().session_at_work(cursor) is not None
    cursor.execute(
        "SELECT run_id, playbook, operator, controller, "
        + UTC_TEXT.format("out_of_service_since")
        + ", close_command, pg_catalog.to_jsonb(run) -> 'maintenance' ->> 'mode',"
        " finished IS NOT NULL, lease_until < clock_timestamp() FROM runbook.run AS run"
        " WHERE out_of_service_since IS NOT NULL AND in_service_again IS NULL AND run_id <> %s ORDER BY started",
        (but,),
    )
    names = (
        "run_id",
        "playbook",
        "operator",
        "controller",
        "since",
        "close_command",
        "mode",
        "ended",
        "lease_expired",
    )
    return [{**dict(zip(names, row)), "at_work": at_work} for row in cursor.fetchall()]
