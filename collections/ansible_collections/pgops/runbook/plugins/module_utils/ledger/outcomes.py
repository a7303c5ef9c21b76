# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the outcomes in the table of runs, which nothing chains, agree with the receipts, which are chained."""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Cursor, Json, Receipt
from .aftermath import SUCCESS
from .approvals import AWAITING
from .receipts import committed_versions, latest

__all__ = ["REPLACED", "contradicted_outcomes", "contradiction"]

#: Reason of a restore in the ledger of the database that it has replaced: its receipt of the swap is in the other one.
REPLACED = "this database was replaced"

# Ends of a run before which it may have done anything, or nothing.
ANYTHING = "failed"

NOTHING_CHANGED = ("refused", "unchanged", AWAITING)

# Playbook -> outcomes of a run that has changed production.
CHANGED = {
    "deploy": ("deployed", "rolled_back", "restored"),
    "emergency_rollback": ("rolled_back",),
    "restore": ("restored",),
}

# Outcomes of what is done in one step -> the step whose receipt says so.
IN_ONE_STEP = {
    "adopted": "adopt",
    "salvage restored": "salvage_restore",
    "salvage purged": "salvage_purge",
}


def contradicted_outcomes(cursor: Cursor, receipts: Sequence[Receipt]) -> list[Json]:
    """run_id, outcome and why (part of a sentence) of each run that cannot have ended as the table of runs says.

    Args:
        receipts: the whole chain, oldest first.
    """
    if not receipts:
        return []  # that they are gone is told of the chain
    cursor.execute(
        "SELECT run_id, playbook, outcome, coalesce(reason, '') FROM runbook.run WHERE finished IS NOT NULL"
        " ORDER BY started, run_id"
    )
    of: dict[str, list[Receipt]] = {}
    for receipt in receipts:
        of.setdefault(receipt["run_id"], []).append(receipt)
    contradicted = []
    for run_id, playbook, outcome, reason in cursor.fetchall():
        why = contradiction(playbook, outcome, reason, of.get(run_id, []))
        if why is not None:
            contradicted.append({"run_id": run_id, "outcome": outcome, "why": why})
    return contradicted


def contradiction(playbook: str, outcome: str | None, reason: str, receipts: Sequence[Receipt]) -> str | None:
    """Why a run that has ended cannot have ended so, as part of a sentence; None where its receipts allow it.

    Args:
        playbook, outcome, reason: of the run, as the table has them.
        receipts: of the run, oldest first.
    """
    applied = committed_versions(receipts)
    taken_back = committed_versions(receipts, "emergency_rollback")
    swapped = _is_ok(receipts, "swap")
    if outcome == ANYTHING:
        return None
    if outcome in NOTHING_CHANGED:
        return _what_was_changed(applied, taken_back, swapped)
    if outcome in IN_ONE_STEP:
        step = IN_ONE_STEP[outcome]
        return None if _is_ok(receipts, step) else f"it has no receipt of {step}"
    if outcome not in CHANGED.get(playbook, ()):
        return f"no run of {playbook} ends so"
    if outcome == "restored":
        replaced = reason == REPLACED and _is_ok(receipts, "restore")
        return None if swapped or replaced else "it has no receipt of a swap"
    if playbook == "deploy" and outcome == "rolled_back":
        return _not_taken_back(receipts, applied)
    opening = latest(receipts, "preflight")
    if opening is None:
        return "it has no receipts"
    committed, done = (applied, "applied") if outcome == SUCCESS["deploy"] else (taken_back, "rolled back")
    missing = [version for version in opening["outputs"].get("migrations") or [] if version not in committed]
    changed = _what_was_changed(applied, taken_back, swapped)
    but = f", and {changed}" if changed else ""
    return f"no receipt of it says that {_names(missing)} was {done}{but}" if missing else None


def _names(versions: Sequence[str]) -> str:
    return ", ".join(versions)


def _is_ok(receipts: Sequence[Receipt], step: str) -> bool:
    return any(receipt["step"] == step and receipt["status"] == "ok" for receipt in receipts)


def _what_was_changed(applied: Sequence[str], taken_back: Sequence[str], swapped: bool) -> str | None:
    """What a run has done to production by its receipts; None for nothing."""
    said = [
        *([f"{_names(applied)} was applied"] if applied else []),
        *([f"{_names(taken_back)} was rolled back"] if taken_back else []),
        *(["the database was swapped for a restored one"] if swapped else []),
    ]
    return f"its receipts say that {' and '.join(said)}" if said else None


def _not_taken_back(receipts: Sequence[Receipt], applied: Sequence[str]) -> str | None:
    """Why a deploy was not taken back by itself."""
    if applied:
        return f"its receipts say that {_names(applied)} was applied and not taken back"
    return None if _is_ok(receipts, "emergency_rollback") else "it has no receipt of a rollback"
