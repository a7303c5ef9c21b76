# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All runs of a database, from its ledger: what is lost on a controller is there."""

from __future__ import annotations

from ..shapes import Cursor, Json
from .drills import read_drills
from .ledger import NEWEST_FIRST, UTC_TEXT, Ledger
from .outcomes import contradiction

__all__ = ["read_history"]


def read_history(cursor: Cursor, limit: int, migration: str = "", outcome: str = "") -> list[Json]:
    """Runs and drills of the ledger, the newest first.

    A rehearsal and what preflight has refused write nothing to production, and so are not among them. The steps of a
    drill are its phases.

    Args:
        limit: at most so many.
        migration: only runs of this version; of all where it is empty.
        outcome: only runs that ended so; "not ended" for those that have not.

    Returns:
        list: a dict a run: run_id, playbook, migrations, operator, started, finished, outcome, reason, seconds (from
            its opening to its end; None without one), and steps: dicts with step, migration, status, started and
            seconds, of the receipts in the order in which they were written; and tag, the name of the state after it,
            or None; contradicted, why it cannot have ended so by its receipts, or None.
    """
    if not Ledger().exists(cursor):
        return []
    cursor.execute(
        f"SELECT n.run_id, n.playbook, n.migrations, n.operator, {UTC_TEXT.format('n.started')},"
        f" {UTC_TEXT.format('n.finished')}, n.outcome, n.reason,"
        # Nothing where the clock was put back meanwhile.
        " CASE WHEN n.finished >= n.started THEN extract(epoch FROM n.finished - n.started)::float8 END,"
        " coalesce((SELECT json_agg(json_build_object('step', r.step, 'migration', r.migration, 'status', r.status,"
        "   'started', r.document::json ->> 'started', 'seconds', extract(epoch FROM"
        "   (r.document::json ->> 'finished')::timestamptz - (r.document::json ->> 'started')::timestamptz)::float8)"
        "   ORDER BY r.position) FROM runbook.receipt r WHERE r.run_id = n.run_id), '[]'),"
        " (SELECT r.document::json -> 'outputs' ->> 'tag' FROM runbook.receipt r WHERE r.run_id = n.run_id"
        "   AND r.step = 'preflight' AND r.status = 'ok' ORDER BY r.position DESC LIMIT 1)"
        " FROM runbook.run n WHERE (%(migration)s = '' OR %(migration)s = ANY (n.migrations))"
        " AND (%(outcome)s = '' OR coalesce(n.outcome, 'not ended') = %(outcome)s)"
        f" ORDER BY {NEWEST_FIRST} LIMIT %(limit)s",
        {"migration": migration, "outcome": outcome, "limit": limit},
    )
    names = (
        "run_id",
        "playbook",
        "migrations",
        "operator",
        "started",
        "finished",
        "outcome",
        "reason",
        "seconds",
        "steps",
        "tag",
    )
    runs = [dict(zip(names, row)) for row in cursor.fetchall()]
    for run in runs:
        run["contradicted"] = _contradicted(cursor, run)
    drills = [_as_run(drill) for drill in read_drills(cursor, limit, migration, outcome)]
    return sorted([*runs, *drills], key=lambda one: (one["started"], one["run_id"]), reverse=True)[:limit]


def _contradicted(cursor: Cursor, run: Json) -> str | None:
    """Why a run cannot have ended as it says; None where it can."""
    if run["finished"] is None:
        return None
    receipts = Ledger().receipts(cursor, run["run_id"])
    return contradiction(run["playbook"], run["outcome"], run["reason"] or "", receipts)


def _as_run(drill: Json) -> Json:
    """A drill as one reads of a run."""
    phases = drill.pop("phases")
    return {
        **drill,
        "playbook": "drill",
        "steps": [
            {
                "step": phase["phase"],
                "migration": None,
                "status": phase["status"],
                "started": phase["started"],
                "seconds": phase["seconds"],
            }
            for phase in phases
        ],
        "tag": None,
        "contradicted": None,
    }
