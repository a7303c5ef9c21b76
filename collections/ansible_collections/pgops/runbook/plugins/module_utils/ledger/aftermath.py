# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of a step that changes production and could not report: the ledger says it.

Functions of values, as receipts.py; the frame of the steps asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RunbookError, StepFailed, Unchanged
from ..shapes import Identity, Json, Receipt
from .receipts import committed_versions, latest

__all__ = ["CHANGING_STEPS", "aftermath"]

#: The steps after which production is another one.
CHANGING_STEPS = ("apply", "emergency_rollback", "swap")

AGAIN = "When the cause is gone, type the same command again."

DIRECTIONS = {"apply": "apply", "emergency_rollback": "rollback"}


def aftermath(
    step: str,
    code: str,
    reason: str,
    receipts: Sequence[Receipt],
    identity: Identity,
    half_done: Json | None,
) -> RunbookError:
    """How a step ended that did not end by itself; no session of it may be at work any more.

    Args:
        step: one of CHANGING_STEPS.
        code, reason: why it ended.
        receipts: of its run, oldest first.
        identity: of the database that has the name now.
        half_done: the journal of its run that is not closed, or None (see journal.open_journal).

    Returns:
        Unchanged, or StepFailed with ``done`` among its details where production was changed.
    """
    if step == "swap":
        restored = latest(receipts, "restore")
        if restored is None or restored["outputs"].get("database_oid") != identity["database_oid"]:
            return Unchanged(
                code, f"{reason} The databases were not swapped, and the application is let in. {AGAIN}"
            )
        return StepFailed(
            code, f"{reason} It had swapped the databases: production is the restored backup.", done=True
        )
    if half_done is not None and half_done["direction"] == DIRECTIONS[step]:
        return StepFailed(
            code,
            f"{reason} Migration {half_done['migration']} is half done: {half_done['done']} statements of its"
            f" {half_done['direction']} script are committed. The same command resumes where it stopped.",
        )
    versions = committed_versions(receipts, step)
    what = "committed" if step == "apply" else "taken back"
    if versions:
        return StepFailed(code, f"{reason} It had {what} {', '.join(versions)}.", done=True)
    return Unchanged(code, f"{reason} It had {what} nothing. {AGAIN}")
