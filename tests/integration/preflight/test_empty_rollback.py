# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollback that has no statement, since there is nothing to take back: refused, unless somebody accepts it."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns


@pytest.fixture
def nothing(runs: StepRuns) -> StepRuns:
    """Migration 002 changes nothing that lasts, and its rollback says so."""
    runs.write(
        migrations__002_author="ALTER TABLE notes ALTER body SET DEFAULT NULL;",
        rollback__002_author_rollback="-- Nothing to do: the default was NULL before.\n",
    )
    return runs


def test_it_is_refused_and_the_consent_is_named(nothing: StepRuns) -> None:
    refused = nothing.step("preflight")
    assert refused["reason_code"] == "rollback_script_empty", refused
    assert "002_author_rollback.sql has no statement" in refused["msg"]
    assert "-e accept_empty_rollback=002" in refused["msg"]


def test_accepted_it_is_deployed_and_taken_back(nothing: StepRuns) -> None:
    accept = {"accept_empty_rollback": True}
    nothing.must("preflight", **accept)
    nothing.steps("maintenance_window", "backup", "verify_restore")
    assert nothing.step("rehearse")["failed"], "by the rehearsal too"
    again = nothing.another()
    nothing.conclude("refused")
    again.must("preflight", **accept)
    again.steps("maintenance_window", "backup", "verify_restore")
    again.must("rehearse", **accept)
    again.steps("apply", "verify", "smoke_test")
    again.conclude("deployed")
    rollback = nothing.another("emergency_rollback")
    assert rollback.step("preflight")["reason_code"] == "rollback_script_empty"
    rollback = nothing.another("emergency_rollback")
    rollback.must("preflight", **accept)
    rollback.must("backup", purpose="emergency")
    rollback.steps("emergency_rollback", "smoke_test")
    rollback.conclude("rolled_back")
    assert nothing.ask("SELECT version FROM schema_migrations") == [("001",)]
