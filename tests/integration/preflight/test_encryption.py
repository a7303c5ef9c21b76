# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encryption that cannot work stops who is going to make a dump, and nobody else."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns

# Nobody could decrypt it: refused before any program is looked for.
UNUSABLE = {"method": "age", "recipients": [], "identity": ""}


@pytest.mark.parametrize(
    ("kind", "refused"), [("full", True), ("auto", True), ("salvage", False), ("restore_point", False)]
)
def test_a_rollback_without_a_dump_goes_on(runs: StepRuns, kind: str, refused: bool) -> None:
    runs.deploy()
    back = runs.another("emergency_rollback")
    answer = back.step("preflight", emergency_backup=kind, encryption=UNUSABLE)
    assert (answer.get("reason_code") == "backup_encryption_unusable") is refused, answer.get("msg")


@pytest.mark.parametrize("playbook", ["deploy", "rehearse"])
def test_who_proves_a_backup_is_refused(runs: StepRuns, playbook: str) -> None:
    answer = runs.another(playbook).step("preflight", encryption=UNUSABLE)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "backup_encryption_unusable")
