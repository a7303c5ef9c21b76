# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of a cleanup: its artifacts, and at the end of a run what the record says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..fleet.old_fleets import clean_fleets
from ..record.old_artifacts import clean_artifacts
from ..record.record import RunRecord
from ..report.cleanup import cleanup_in_short, warnings_of

__all__ = ["clean_after_run", "with_artifacts"]

Result = dict[str, Any]

NOT_DONE = "Nothing was removed of what backup_keep and artifacts_keep no longer keep: {}"


def with_artifacts(result: Result, record: RunRecord) -> None:
    """Remove artifacts as well, and add what became of it to the result of the step cleanup."""
    outputs, facts = result["outputs"], record.content
    whose = facts["target"], facts["database"]
    outputs |= clean_artifacts(record.artifacts_dir, *whose, outputs, record.writes, facts["run_id"])
    going = {one["run_id"] for one in outputs["artifacts"]}
    of_fleets = clean_fleets(record.artifacts_dir, *whose, outputs["artifacts_keep"], going, record.writes)
    outputs["fleets"] = of_fleets.pop("fleets")
    for kind, found in of_fleets.items():
        outputs[f"artifacts_{kind}"] += found
    went = ("artifacts", "fleets", "artifacts_ended")
    result["changed"] = bool(result.get("changed") or any(outputs[kind] for kind in went))


def clean_after_run(record: RunRecord, execute: Callable[[], Result]) -> Result:
    """Clean up at the end of a run, which has ended as it did: whatever goes wrong is a warning.

    Args:
        execute: runs the step cleanup; returns its result.

    Returns:
        The task's result: changed, report (lines; none where nothing went) and warnings.
    """
    if not record.writes or not _has_begun(record):
        return {"changed": False, "report": []}
    report: list[str] = []
    removed: Result = {"backups": [], "artifacts": [], "fleets": []}
    changed = False
    try:
        result = execute()
        warnings = list(result.get("warnings") or [])
        if result.get("failed"):
            warnings.append(NOT_DONE.format(result.get("msg")))
        else:
            with_artifacts(result, record)
            outputs, changed = result["outputs"], result["changed"]
            warnings += warnings_of(outputs)
            report = cleanup_in_short(outputs)
            removed |= {kind: outputs[kind] for kind in ("artifacts", "fleets")}
            removed["backups"] = outputs["removed"]
    except Exception as error:
        # A defect of ours, found when all is done: it must not make a run fail that went well.
        warnings = [NOT_DONE.format(f"it met an unexpected error: {error!r}")]
    record.note_cleanup(removed, warnings)
    try:
        record.save()
    except OSError as error:
        warnings.append(f"And {record.path} could not be written: {error.strerror}.")
    return {"changed": changed, "report": report, "warnings": warnings}


def _has_begun(record: RunRecord) -> bool:
    """Whether preflight let the run begin; what it refused has nothing to clean up, and perhaps no server to ask."""
    preflight = record.steps("preflight")
    return bool(preflight) and preflight[-1]["status"] == "ok"
