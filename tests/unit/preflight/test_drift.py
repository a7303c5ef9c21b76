# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which schema the database must have, and which scripts of applied migrations are others now: told by the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.drift import (
    edited_scripts,
    recorded_schema,
)

DIGESTS = {"apply": "a", "rollback": "r", "verify": None}
ENTRY = {"version": "002", "apply_sha256": "a", "rollback_sha256": "r", "verify_sha256": None}


def receipt(step: str, status: str = "ok", migration: str | None = None, **outputs: Any) -> dict[str, Any]:
    inputs = DIGESTS if step in ("apply", "adopt") else {}
    return {"step": step, "status": status, "migration": migration, "inputs": inputs, "outputs": outputs}


@pytest.mark.parametrize("step", ["apply", "emergency_rollback", "adopt", "swap", "salvage_restore"])
def test_the_newest_step_that_changed_the_schema_tells_it(step: str) -> None:
    chain = [receipt("apply", catalog_after="first"), receipt(step, catalog_after="last"), receipt("verify")]
    assert recorded_schema(chain) == "last"


def test_a_step_that_failed_has_recorded_nothing() -> None:
    chain = [receipt("apply", catalog_after="first"), receipt("apply", "failed", catalog_after="never")]
    assert recorded_schema(chain) == "first"


def test_accepted_drift_is_the_schema_from_then_on() -> None:
    chain = [
        receipt("apply", catalog_after="first"),
        receipt("preflight", accepted_drift=["index x"], catalog="accepted"),
        receipt("preflight"),
    ]
    assert recorded_schema(chain) == "accepted"


def test_nothing_is_recorded_in_a_ledger_without_a_change() -> None:
    assert recorded_schema([]) is None
    assert recorded_schema([receipt("preflight"), receipt("backup")]) is None


@pytest.mark.parametrize("kind", ["apply", "rollback", "verify"])
def test_each_kind_of_script_is_compared(kind: str) -> None:
    edited = {**ENTRY, f"{kind}_sha256": "another"}
    assert edited_scripts(edited, [receipt("apply", migration="002")]) == [kind]
    assert edited_scripts(ENTRY, [receipt("apply", migration="002")]) == []


def test_what_was_never_deployed_or_failed_may_be_edited() -> None:
    edited = {**ENTRY, "apply_sha256": "another"}
    assert (
        edited_scripts(edited, [receipt("apply", migration="001"), receipt("apply", "failed", "002")]) == []
    )


def test_a_deploy_that_a_restore_has_undone_does_not_count() -> None:
    """It was deployed before the backup, edited, deployed anew since: what counts is the first one."""
    chain = [
        receipt("apply", migration="002"),
        {**receipt("apply", migration="002"), "inputs": {**DIGESTS, "apply": "newer"}},
        receipt("swap", receipts_in_backup=1),
    ]
    assert edited_scripts(ENTRY, chain) == []
    assert edited_scripts({**ENTRY, "apply_sha256": "newer"}, chain) == ["apply"]
