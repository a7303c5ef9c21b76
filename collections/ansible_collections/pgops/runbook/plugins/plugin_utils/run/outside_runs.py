# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of steps that belong to no run: what only it can tell, and how their outputs are told."""

from __future__ import annotations

from typing import Any

from ..record.artifacts import (
    changed_artifacts,
    contradicting_records,
    runs_without_signatures,
    unsigned_receipts,
)
from ..record.record import RunRecord
from ..report.approval import approve_report
from ..report.cleanup import cleanup_report
from ..report.history import history_report, write_history
from ..report.salvage import salvage_report
from ..report.status import status_report
from .cleaning import with_artifacts

__all__ = ["OUTSIDE_RUNS", "tell_outside_runs"]

#: Step -> how its outputs are told.
OUTSIDE_RUNS = {
    "status": status_report,
    "salvage": salvage_report,
    "history": history_report,
    "cleanup": cleanup_report,
    "approve": approve_report,
}


def tell_outside_runs(
    step: str, result: dict[str, Any], record: RunRecord, signed: dict[str, str], target: str
) -> None:
    """Add to the result of a step that has succeeded what the controller knows, and its report.

    Args:
        step: one of OUTSIDE_RUNS.
        record: of no run; it knows the artifacts and the key.
        signed: digest -> signature of receipts that were signed after the ledger was read.
        target: name in the inventory.
    """
    if step == "status":
        _compare(result["outputs"], record, signed)
    if step == "cleanup":
        with_artifacts(result, record)
    if step == "history" and record.writes:
        _write_history(result, record, target)
    result["report"] = OUTSIDE_RUNS[step](result["outputs"], target)


def _write_history(result: dict[str, Any], record: RunRecord, target: str) -> None:
    """Write the page; where that cannot be, the runs are on the screen all the same."""
    try:
        result["outputs"]["page"] = write_history(result["outputs"], target, record.artifacts_dir)
    except OSError as error:
        result.setdefault("warnings", []).append(
            f"The page of the history could not be written to {record.artifacts_dir}: {error.strerror}."
        )


def _compare(outputs: dict[str, Any], record: RunRecord, signed: dict[str, str]) -> None:
    """Add to the status what only the controller can tell: it has the artifacts and the key."""
    ledger = outputs.pop("ledger")
    for receipt in ledger["receipts"]:
        receipt["signature"] = signed.get(receipt["digest"], receipt["signature"])
    outputs["artifacts_changed"] = changed_artifacts(str(record.artifacts_dir), ledger)
    known = {one["run_id"] for one in outputs["contradicted"]}
    outputs["contradicted"] += [
        one for one in contradicting_records(str(record.artifacts_dir), ledger) if one["run_id"] not in known
    ]
    outputs["signed"] = bool(record.key)
    outputs["without_signature"] = runs_without_signatures(ledger["receipts"]) if record.key else {}
    outputs["unsigned"] = unsigned_receipts(ledger["receipts"], record.key) if record.key else []
