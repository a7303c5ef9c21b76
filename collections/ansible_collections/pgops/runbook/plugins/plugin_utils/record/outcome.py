# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a run ended, as its steps tell."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.aftermath import FIRST_STEP_THAT_CHANGES, SUCCESS
from ...module_utils.ledger.approvals import AWAITING
from ...module_utils.ledger.receipts import CHAINS

__all__ = [
    "FIRST_STEP_THAT_CHANGES",
    "UNREPORTED",
    "code_of_task",
    "complete",
    "final_outcome",
    "nothing_to_do",
    "succeeded",
]

#: Reason codes of a step that had begun and whose process could not say what it had done, or had lost its session.
UNREPORTED = ("host_unreachable", "postgresql_error", "step_crashed", "step_killed")


def final_outcome(
    playbook: str, steps: list[dict[str, Any]]
) -> tuple[str, str | None, str | None, str | None]:
    """How a run ended, from its steps.

    Args:
        playbook: "deploy", "rehearse", "emergency_rollback", "restore" or "drill".
        steps: those of run.json, in the order in which they ended.

    Returns:
        (outcome, failed_step, reason_code, reason). The code is that of the step that failed first, with which the
        reason begins; what failed after it has its own in its step.
    """
    failed = [step for step in steps if step["status"] == "failed"]
    if not failed and steps and steps[-1]["status"] == "waiting":
        return AWAITING, None, steps[-1]["reason_code"], steps[-1]["reason"]
    if not failed:
        return SUCCESS[playbook], None, None, None
    first = failed[0]
    at = first["step"], first.get("reason_code")
    taken_back = next((step for step in steps if step["step"] == "emergency_rollback"), None)
    if (
        playbook == "deploy"
        and taken_back is not None
        and taken_back["status"] == "ok"
        and taken_back["migrations"]
    ):
        behind = [one for one in steps[steps.index(taken_back) :] if one in failed]
        if behind:
            also = f"The database was rolled back, but the files have not followed: {behind[0]['reason']}"
            return "failed", *at, f"{first['reason']} {also}"
        return "rolled_back", *at, first["reason"]
    if playbook == "deploy" and taken_back is not None and taken_back.get("done"):
        return "rolled_back", *at, f"{first['reason']} {taken_back['reason']}"
    if playbook == "deploy" and len(failed) > 1:
        reasons = [first["reason"], f"The automatic rollback failed too: {failed[1]['reason']}"]
        if any(step["step"] == "swap" and step["status"] == "ok" for step in steps):
            return "restored", *at, " ".join([*reasons, "The backup of this run was put back."])
        reasons += [f"And so did the automatic restore: {step['reason']}" for step in failed[2:]]
        return "failed", *at, " ".join(reasons)
    return first["outcome"], *at, first["reason"]


def code_of_task(failure: str, failure_code: str) -> str | None:
    """The code of a failed task's message; a task beside the steps has none of its own."""
    return (failure_code or "task_failed") if failure else None


def nothing_to_do(playbook: str, wanted: str) -> str:
    """Why a run found nothing to do.

    Args:
        wanted: the migration that was asked for; empty, or a word for several, where that was not one.
    """
    rolls_back = playbook == "emergency_rollback"
    if wanted and wanted not in ("pending", "all"):
        return f"migration {wanted} was {'not applied' if rolls_back else 'applied already'}"
    return "nothing later was applied" if rolls_back else "nothing was pending"


def succeeded(run: dict[str, Any]) -> bool:
    """Whether the run did what was asked for: a rollback is a success only where a rollback was wanted."""
    return run["outcome"] == SUCCESS[run["playbook"]] and run["reason_code"] is None


def complete(playbook: str, done: set[str]) -> bool:
    """Whether the steps of one of the playbook's chains are all done."""
    return any(done.issuperset(chain) for chain in CHAINS[playbook])
