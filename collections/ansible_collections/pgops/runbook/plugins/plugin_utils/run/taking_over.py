# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known here of a run whose place another one takes, or may not take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...module_utils.errors import RunbookError
from ..record.controller import lives
from ..record.record import RunRecord

__all__ = ["at_work_elsewhere", "ended_here", "may_be_taken_over", "still_there"]


def may_be_taken_over(holder: dict[str, Any]) -> str | None:
    """Why the run that holds the database may be taken over without being named; None where it may not.

    A process that is there is believed more than the clock: a run that waits for a command or a person is alive.

    Args:
        holder: the run, as module_utils/ledger/ledger.py, unfinished_run, gives it.

    Returns:
        a choice of the option taken_over_because.
    """
    alive = lives(holder.get("controller") or {})
    if alive is None:
        return "unseen" if holder["lease_expired"] else None
    return None if alive else "gone"


def still_there(holder: dict[str, Any]) -> str | None:
    """Why another run keeps this one out whose process is here; None where that cannot be seen.

    Args:
        holder: see may_be_taken_over.
    """
    controller = holder.get("controller") or {}
    if not lives(controller):
        return None
    return (
        f"Another run is in progress in this database: {holder['run_id']} ({holder['playbook']} of"
        f" {', '.join(holder['migrations'])}) by {holder['operator']}, since {holder['started']}. Its controller is"
        f" alive: process {controller['pid']} on this machine. Wait until it has finished; or end it (kill"
        f" {controller['pid']}) and type the same command again. If it is sure to do nothing any more: -e"
        f" take_over={holder['run_id']}"
    )


def at_work_elsewhere(content: dict[str, Any], ours: dict[str, Any]) -> str | None:
    """Why a run is none of this command's business: another one is at work in it.

    Args:
        content: of the run's record.
        ours: this_controller().

    Returns:
        a sentence; None where no other command is seen to be.
    """
    controller = content.get("controller") or {}  # absent in records of older releases
    if content["ended"] or controller == ours or not lives(controller):
        return None
    return (
        f"Run {content['run_id']} is at work in another command: process {controller['pid']} on this machine. Nothing"
        " was done here, and that run is as it was. What it does: ansible-playbook playbooks/status.yml"
    )


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
