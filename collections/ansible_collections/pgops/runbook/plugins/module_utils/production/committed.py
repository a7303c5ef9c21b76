# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run has committed, without all that committing takes: the backup before a rollback asks it too."""

from __future__ import annotations

from ..ledger.receipts import latest
from ..shapes import Migration
from ..step.step import Step

__all__ = ["committed_by_this_run"]


def committed_by_this_run(step: Step, migrations: list[Migration]) -> list[Migration]:
    """What the ledger says that this run has committed and not taken back yet, newest first."""
    committed = []
    for migration in reversed(migrations):
        applied = latest(step.receipts, "apply", migration["version"])
        taken_back = latest(step.receipts, "emergency_rollback", migration["version"])
        if applied is not None and applied["status"] == "ok" and taken_back is None:
            committed.append(migration)
    return committed
