# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps that have nothing to do in a run, or nothing any more."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.approvals import RESUME, WAITS
from ...module_utils.ledger.receipts import RESTORING_STEPS
from ..record.record import RunRecord
from .going_on import waits

__all__ = ["reason_to_skip", "told_of_the_end"]

# Of a run that has stopped until it was approved: what was approved is what they have shown.
DONE_BEFORE_APPROVAL = (
    "preflight",
    "backup",
    "verify_restore",
    "rehearse",
    "files_check",
    "approval",
)


def reason_to_skip(step: str, record: RunRecord, automatic: bool) -> str | None:
    """Why a step has nothing to do, as the run's record tells; None where it has.

    Args:
        step: name of the step.
        record: of the run.
        automatic: whether this is of the rollback that a failed deploy does by itself.
    """
    if automatic and not record.may_have_committed():
        return "this run has committed nothing: there is nothing to roll back"
    if automatic and step in RESTORING_STEPS and record.has_taken_back():
        return "the rollback is done: there is nothing to restore"
    if record.has_gone_on() and step in DONE_BEFORE_APPROVAL:
        return "it was done before the run was approved"
    preflight = record.steps("preflight")
    if not preflight or preflight[-1]["status"] != "ok":
        return None
    if step == "files_check" and not record.content["migrations"]:
        return "nothing is applied in this run"
    if step == "approval":
        return None if record.needs_approval() else "no approval is needed"
    if step in ("files_check", "files_rename"):
        return None if record.files_follow() else "no migration of this run changes paths of files"
    if not record.content["migrations"]:
        rolls_back = record.content["playbook"] == "emergency_rollback"
        return "nothing later is applied" if rolls_back else "nothing is pending"
    return None


def told_of_the_end(record: RunRecord, run_id: str, automatic: bool) -> dict[str, Any]:
    """What a step answers in a run that has ended: what it came to is written, and is not written over.

    Args:
        record: of the run.
        run_id: its name.
        automatic: whether this is of the rollback that a failed deploy does by itself, which then has nothing to do.
    """
    reason = f"Run {run_id} has ended ({record.content['outcome']}). Start a new run."
    if waits(record.content):
        reason = WAITS.format(run_id, RESUME.format(run_id))
    if automatic:
        return {"changed": False, "skipped": True, "skip_reason": reason}
    return {
        "failed": True,
        "changed": False,
        "msg": reason,
        "reason_code": "run_has_ended",
        "outcome": "refused",
        "run_id": run_id,
    }
