# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What run.json holds before the first step of a run; run.schema.json beside it describes it."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.schema import COLLECTION_VERSION

__all__ = ["FORMAT", "NOT_ENDED", "first_content"]

#: Of run.json, as run.schema.json beside this file describes it; a larger number where a reader would be misled.
FORMAT = 1

NOT_ENDED = "The run has not ended: it is still in progress, or was interrupted during {step}."


def first_content(run_id: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The content of a run's record when it begins: as if it had ended right there.

    Args:
        run_id: its name.
        facts: playbook, target, database, and where they are known operator and fleet.
    """
    return {
        "format": FORMAT,
        "runbook_version": COLLECTION_VERSION,
        "run_id": run_id,
        "playbook": facts["playbook"],
        "target": facts["target"],
        "database": facts["database"],
        "operator": facts.get("operator"),
        "controller": None,
        "fleet": facts.get("fleet"),
        "sql_commit": None,
        "consents": {},
        "consent_reason": None,
        "migrations": [],
        "outcome": "failed",
        "failed_step": None,
        "reason_code": "run_not_ended",
        "reason": NOT_ENDED.format(step="its first step"),
        "begun": None,
        "unreported": [],
        "steps": [],
        "proof": {"schema_restored": None, "data_restored": None},
        "ended": None,
        "salvage": [],
        "salvage_returned": [],
        "privileges_again": [],
        "rows_waiting": 0,
        "impact": {},
        "schema_changes": {},
        "lint": None,
        "left_out": {},
        "taken_back_since": [],
        "deployed_files": {},
        "interrupted_run": None,
        "files": None,
        "emergency_backup": None,
        "restore": None,
        "drill": None,
        "restorable_run": None,
        "backup_gone": None,
        "replication": [],
        "called_as_superuser": [],
        "not_in_backup": [],
        "approval": None,
        "after_backup": None,
        "unannounced": [],
        "ledger_unclosed": None,
        "out_of_service": None,
        "cleanup": None,
        "artifacts": {},
    }
