# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run has committed, without all that committing takes: the backup before a rollback asks it too."""

from __future__ import annotations

from ..ledger.journal import journal_of
from ..ledger.receipts import latest
from ..postgres.connection import transaction
from ..shapes import Migration
from ..step.step import Step

__all__ = ["committed_by_this_run", "to_take_back"]


def to_take_back(step: Step, migrations: list[Migration]) -> list[Migration]:
    """What a failed deploy takes back by itself, newest first.

    Nothing where it has left a migration half done: that is finished first, and may rest on the others.
    """
    with transaction(step.connection) as cursor:
        half_done = journal_of(cursor, step.run_id)
    return [] if half_done is not None else committed_by_this_run(step, migrations)


def committed_by_this_run(step: Step, migrations: list[Migration]) -> list[Migration]:
    """What the ledger says that this run has committed and not taken back yet, newest first."""
    committed = []
    for migration in reversed(migrations):
        applied = latest(step.receipts, "apply", migration["version"])
        taken_back = latest(step.receipts, "emergency_rollback", migration["version"])
        if applied is not None and applied["status"] == "ok" and taken_back is None:
            committed.append(migration)
    return committed
