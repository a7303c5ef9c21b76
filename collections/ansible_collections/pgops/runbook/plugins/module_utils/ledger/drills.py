# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drills in the ledger: the one line that each leaves in production, and how long ago the last one was."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..postgres.answers import has_relation, one_row
from ..shapes import Cursor, Json
from .ledger import UTC_TEXT
from .upgrade import upgrade

__all__ = ["DRILLED", "age_in_days", "has_drills", "newest_drill", "note_drill", "read_drills"]

#: Outcome of a drill that went well to its end; there is one other: failed.
DRILLED = "drilled"

COLUMNS = (
    "run_id",
    "migrations",
    "operator",
    "started",
    "finished",
    "outcome",
    "reason",
    "seconds",
    "phases",
)

READ = (
    f"SELECT run_id, migrations, operator, {UTC_TEXT.format('started')}, {UTC_TEXT.format('finished')}, outcome,"
    " reason, extract(epoch FROM finished - started)::float8, phases FROM runbook.drill"
)


def has_drills(cursor: Cursor) -> bool:
    """Whether the ledger has the table: layouts before release 9 have not."""
    return has_relation(cursor, "runbook.drill")


def note_drill(
    cursor: Cursor,
    run_id: str,
    migrations: Sequence[str],
    operator: str,
    started: str,
    phases: Sequence[Json],
    reason: str | None = None,
) -> None:
    """Write that there was a drill.

    Args:
        started: when its first phase began, by the server's clock.
        phases: dicts with phase, started and seconds at least, in order.
        reason: why it failed; None where it went well.

    Raises:
        Refused: the role may not bring the ledger to the layout that has a place for it.
    """
    upgrade(cursor)
    cursor.execute(
        "INSERT INTO runbook.drill (run_id, migrations, operator, started, outcome, reason, phases)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            run_id,
            list(migrations),
            operator,
            started,
            DRILLED if reason is None else "failed",
            reason,
            json.dumps(list(phases)),
        ),
    )


def read_drills(cursor: Cursor, limit: int, migration: str = "", outcome: str = "") -> list[Json]:
    """Drills, the newest first; see history.read_history() for the arguments.

    Returns:
        list: a dict a drill, with the names of COLUMNS.
    """
    if not has_drills(cursor):
        return []
    cursor.execute(
        f"{READ} WHERE (%(migration)s = '' OR %(migration)s = ANY (migrations))"
        " AND (%(outcome)s = '' OR outcome = %(outcome)s) ORDER BY started DESC, run_id DESC LIMIT %(limit)s",
        {"migration": migration, "outcome": outcome, "limit": limit},
    )
    return [dict(zip(COLUMNS, row)) for row in cursor.fetchall()]


def newest_drill(cursor: Cursor) -> Json | None:
    """The last drill, however it ended, or None."""
    found = read_drills(cursor, 1)
    return found[0] if found else None


def age_in_days(cursor: Cursor) -> float | None:
    """How long ago the last drill ended that went well, by the server's clock; None where there was none."""
    if not has_drills(cursor):
        return None
    cursor.execute(
        "SELECT extract(epoch FROM clock_timestamp() - max(finished))::float8 / 86400 FROM runbook.drill"
        " WHERE outcome = %s",
        (DRILLED,),
    )
    return one_row(cursor)[0]
