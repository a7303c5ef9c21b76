# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which runs' backups were removed because backup_keep no longer keeps them. No function commits."""

from __future__ import annotations

from collections.abc import Collection

from ..postgres.answers import one_row
from ..shapes import Cursor
from .upgrade import release_of, upgrade

__all__ = ["backup_removed", "forget_removed", "note_removed", "runs_without_note"]

# Of the layout that has the column.
RELEASE = 6

UTC = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')"""


def backup_removed(cursor: Cursor, run_id: str) -> str | None:
    """When the backup of a run was removed, as text; None where it was not, or where the ledger does not know."""
    if release_of(cursor) < RELEASE:
        return None
    cursor.execute(f"SELECT {UTC.format('backup_removed')} FROM runbook.run WHERE run_id = %s", (run_id,))
    row = cursor.fetchone()
    return row[0] if row else None


def note_removed(cursor: Cursor, run_ids: Collection[str]) -> None:
    """The backups of these runs are no longer where they were; those of rehearsals are not in the ledger.

    Raises:
        Refused: the role may not bring the ledger to the layout that can say so.
    """
    if not run_ids:
        return
    upgrade(cursor)
    cursor.execute(
        "UPDATE runbook.run SET backup_removed = clock_timestamp() WHERE run_id = ANY (%s)", (list(run_ids),)
    )


def forget_removed(cursor: Cursor, run_ids: Collection[str]) -> None:
    """The backups of these runs are there all the same."""
    if run_ids:
        cursor.execute(
            "UPDATE runbook.run SET backup_removed = NULL WHERE run_id = ANY (%s)", (list(run_ids),)
        )


def runs_without_note(cursor: Cursor, run_ids: Collection[str]) -> list[str]:
    """Of these runs those that are in the ledger, which does not say that their backup was removed."""
    if not run_ids or release_of(cursor) == 0:
        return []
    cursor.execute(
        # Without the column, before the upgrade, none has a note.
        "SELECT coalesce(array_agg(run_id ORDER BY run_id), '{}') FROM runbook.run r WHERE run_id = ANY (%s)"
        " AND to_jsonb(r) ->> 'backup_removed' IS NULL",
        (list(run_ids),),
    )
    return one_row(cursor)[0]
