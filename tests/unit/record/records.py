# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Records of runs, as the action plugin makes them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import (
    DEPLOY_STEPS,
    DRILL_STEPS,
    REHEARSE_STEPS,
    RESTORE_STEPS,
    ROLLBACK_STEPS,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import (
    RunRecord,
)

ALL_STEPS = {
    "deploy": DEPLOY_STEPS,
    "rehearse": REHEARSE_STEPS,
    "emergency_rollback": ROLLBACK_STEPS,
    "restore": RESTORE_STEPS,
    "drill": DRILL_STEPS,
}


SUCCESS = {
    "deploy": "deployed",
    "rehearse": "rehearsed",
    "emergency_rollback": "rolled_back",
    "restore": "restored",
    "drill": "drilled",
}


CHANGES = {"deploy": "apply", "emergency_rollback": "emergency_rollback", "restore": "swap"}


def record(tmp_path: Path, playbook: str = "deploy", writes: bool = True, run_id: str = "run-1") -> Any:
    facts = {"playbook": playbook, "target": "library", "database": "midi"}
    return RunRecord(str(tmp_path / "artifacts"), run_id, facts, writes=writes)


def ok(*migrations: Any, receipt: str = "d1", **outputs: Any) -> dict[Any, Any]:
    if migrations:
        outputs["migrations"] = list(migrations)
    return {
        "failed": False,
        "outputs": outputs,
        "started": "2026-01-01T00:00:00.000000Z",
        "seconds": 1.5,
        "receipts": [{"digest": receipt, "step": "x"}],
    }


def failed(
    reason: str = "it did not work", outcome: Any = None, code: str = "statement_failed"
) -> dict[Any, Any]:
    return {
        "failed": True,
        "reason_code": code,
        "msg": reason,
        "outcome": outcome,
        "seconds": 0.5,
        "receipts": [],
    }


def result_of(step: Any, versions: Any = ("009",)) -> Any:
    """A module's answer to a step that went well."""
    if step == "preflight":
        return ok(*versions)
    proofs = [
        {
            "version": version,
            "schema_restored": True,
            "data_restored": True,
            "rows_compared": 3,
            "depends_on": ["001"],
        }
        for version in versions
    ]
    return ok(*proofs) if step in ("rehearse", "apply", "emergency_rollback") else ok()


def run_until(made: Any, step: Any) -> Any:
    """Let every step before ``step`` succeed."""
    for name in itertools.takewhile(lambda name: name != step, ALL_STEPS[made.content["playbook"]]):
        made.end(name, result_of(name))
    return made


def on_disk(made: Any) -> Any:
    return json.loads(made.path.read_text(encoding="utf-8"))


def settled(made: RunRecord, *arguments: str, fail_on_held_back: bool = False) -> RunRecord:
    """The record with how its run ended, written; see RunRecord.settle."""
    made.settle(*arguments, fail_on_held_back=fail_on_held_back)
    made.save()
    return made
