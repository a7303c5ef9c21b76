# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report says of production after each way in which a run can end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.run import run_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.state import state_of_production

from tests.unit.report.test_run import run


@pytest.mark.parametrize("outcome", ["deployed", "rolled_back"])
def test_several_migrations_are_spoken_of_as_several(outcome: str) -> None:
    assert " migrations" in state_of_production(run(outcome, migrations=["009", "010"]))


@pytest.mark.parametrize(
    ("playbook", "steps", "expected"),
    [
        ("deploy", [("apply", "ok"), ("verify", "failed")], "Production STILL HAS the migration."),
        ("deploy", [("apply", "failed")], "What is in production is not known here."),
        (
            "emergency_rollback",
            [("emergency_rollback", "ok"), ("smoke_test", "failed")],
            "Production WAS ROLLED BACK, but the check after it failed.",
        ),
        (
            "emergency_rollback",
            [("emergency_rollback", "ok")],
            "Production WAS ROLLED BACK, but the check after it did not run.",
        ),
        (
            "emergency_rollback",
            [("emergency_rollback", "failed")],
            "What is in production is not known here.",
        ),
    ],
)
def test_a_failure_says_what_is_known_about_production(
    playbook: str, steps: list[Any], expected: str
) -> None:
    assert state_of_production(run("failed", playbook, steps)) == expected


@pytest.mark.parametrize(
    ("playbook", "step", "expected"),
    [
        ("deploy", "apply", "Production STILL HAS the migration."),
        (
            "emergency_rollback",
            "emergency_rollback",
            "Production WAS ROLLED BACK, but the run broke off before the check after it.",
        ),
        (
            "restore",
            "swap",
            "Production is the restored backup, but the run broke off before the check after it.",
        ),
    ],
)
def test_what_a_step_had_done_that_could_not_say_so(playbook: str, step: str, expected: str) -> None:
    ended = run("failed", playbook, [(step, "failed")], restorable_run="r0")
    ended["steps"][0]["done"] = True
    lines = run_report(ended, "x")
    assert f"State: {expected}" in lines
    assert not [line for line in lines if "correct the rollback script" in line]


@pytest.mark.parametrize(
    ("playbook", "steps", "lost", "here"),
    [
        (
            "deploy",
            [("apply", "ok"), ("verify", "failed"), ("emergency_rollback", "ok")],
            [],
            "009 is not applied",
        ),
        (
            "emergency_rollback",
            [("emergency_rollback", "ok"), ("smoke_test", "failed")],
            ["009"],
            "009 is applied",
        ),
    ],
)
def test_what_a_failover_has_lost_is_not_said_to_be_there(
    playbook: str, steps: list[Any], lost: list[Any], here: str
) -> None:
    ended = run("failed", playbook, steps, migrations=["009"])
    ended["steps"][-1]["lost"] = lost
    lines = run_report(ended, "x")
    (state,) = [line for line in lines if line.startswith("State: ")]
    assert state.startswith("State: Another server answers now than the one that this run has changed")
    assert f"in its database {here}." in state
    assert "Next: ansible-playbook playbooks/status.yml" in lines


def test_a_database_that_a_restore_could_not_open_again_is_said_to_be_closed() -> None:
    ended = run("failed", playbook="restore", steps=[("swap", "failed")])
    ended["steps"][0]["reason_code"] = "application_not_let_in"
    state = "State: Production's rows are as they were: nothing was swapped. But its database lets nobody in."
    assert state in run_report(ended, "x")


def test_what_is_half_done_is_no_unknown_state() -> None:
    content = run("failed", steps=[("apply", "failed"), ("emergency_rollback", "ok")])
    content["steps"][0].update(
        half_done={"migration": "003", "words": "003: 1 statements are committed"}, committed=[]
    )
    assert (
        state_of_production(content) == "Production is between two states: 003: 1 statements are committed."
    )
    content["steps"][0]["committed"] = ["001", "002"]
    assert "two states: 001, 002 is applied, and 003: 1" in state_of_production(content)
