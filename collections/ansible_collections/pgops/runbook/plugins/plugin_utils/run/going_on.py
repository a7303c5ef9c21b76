# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs that stop until others have approved them, and go on with another command."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils.ledger.approvals import AWAITING, RESUME
from ..record.record import RunRecord
from ..report.run import run_report

__all__ = ["refuse_to_go_on", "resumed_migration", "told_of_waiting", "waits"]

Result = dict[str, Any]


def waits(content: dict[str, Any]) -> bool:
    """Whether a run has stopped until it is approved, by its run.json."""
    return bool(content.get("ended")) and content["outcome"] == AWAITING


def resumed_migration(content: dict[str, Any]) -> str:
    """What a person would have typed as ``migration`` for the run."""
    migrations = content["migrations"]
    return str(migrations[0]) if len(migrations) == 1 else "pending"


def refuse_to_go_on(record: RunRecord, wanted: str) -> Result | None:
    """Why a run that is named cannot be gone on with, or has to be begun; None where it may be tried.

    Args:
        record: of the run.
        wanted: the migration that the command names, if any.

    Returns:
        The task's result: failed, or skipped where the name is that of a new run.
    """
    content, name = record.content, record.folder.name
    if not record.steps("preflight"):
        if wanted:
            return {"changed": False, "skipped": True, "skip_reason": "it is a new run"}
        return _refused(
            "record_unusable",
            f"There is no record of run {name} in {record.artifacts_dir}, and no migration is named. Nothing was done."
            f" A run that was approved is resumed where its record is; or copy the folder {name} from there into"
            " artifacts_dir.",
        )
    if not waits(content) and not content["ended"] and not content.get("approval"):
        return {"changed": False, "skipped": True, "skip_reason": "the run does not wait for approval"}
    if not waits(content) and content["ended"]:
        return None  # it is said with its outcome
    if wanted and wanted not in (resumed_migration(content), *content["migrations"]):
        return _refused(
            "run_not_waiting",
            f"Run {name} is about {', '.join(content['migrations'])}, and the command names {wanted}. Nothing was done."
            f" To resume it: {RESUME.format(name)}",
        )
    return None


def _refused(code: str, reason: str) -> Result:
    return {"failed": True, "changed": False, "msg": reason, "reason_code": code, "outcome": "refused"}


def told_of_waiting(step: str, record: RunRecord, options: Result, check_mode: bool) -> Result | None:
    """The task's result in a command that was to go on with a run, and has not; nothing of the run is written.

    Args:
        step: of the task.
        record: of the run, which waits.
        options: of the step.
        check_mode: whether the command only looks.

    Returns:
        None where the step is to be told that the run has not gone on, or the command is a run that came to nothing.
    """
    failure, code = str(options.get("reason") or ""), str(options.get("reason_code") or "")
    if step == "announce" and code == "approvals_missing":
        content = {**record.content, "reason": failure}
        restores = boolean(options.get("restore_salvage", True))
        told = {"run": content, "run_json": str(record.path), "waits_on": True}
        report = run_report(content, str(record.path), restores)
        return {"changed": False, **told, "report": report, "succeeded": False}
    if step == "announce" and check_mode and not failure:
        line = f"Check mode, nothing was written. Run {record.folder.name} is approved, and can go on."
        checked = {"outcome": "checked", "reason_code": None, "reason": None}
        return {"changed": False, "run": checked, "report": [line], "succeeded": True}
    if step != "announce" and check_mode:
        return {"changed": False, "skipped": True, "skip_reason": "the run has not gone on: this only looks"}
    return None
