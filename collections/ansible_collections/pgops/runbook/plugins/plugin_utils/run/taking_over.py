# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known here of a run whose place another one takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...module_utils.errors import RunbookError
from .record import RunRecord

__all__ = ["ended_here"]


def ended_here(artifacts_dir: Path, run_id: str) -> dict[str, Any] | None:
    """How a run ended by its run.json, where its end could not be written to the ledger; None where it has not ended.

    Args:
        artifacts_dir: of the run that takes its place.

    Returns:
        run_id, outcome, reason and record_sha256.
    """
    facts = {"playbook": None, "target": None, "database": None}
    try:
        record = RunRecord(str(artifacts_dir), run_id, facts, writes=False)
    except RunbookError:
        return None  # it cannot be read, and the ledger decides alone
    content = record.content
    if not content["ended"]:
        return None
    return {
        "run_id": run_id,
        "outcome": content["outcome"],
        "reason": content["reason"] or "",
        "record_sha256": record.digest(),
    }
