# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody reads who has interrupted a run."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.interrupted import (
    CORRECT,
    LOOK,
    NOT_TOUCHED,
    AtWork,
)


def at_work(playbook: str | None, *steps: str) -> AtWork:
    made = AtWork()
    made.begin_play(playbook)
    for step in steps:
        made.begin_step("books", step)
    return made


@pytest.mark.parametrize(
    ("playbook", "steps", "state"),
    [
        ("deploy", ("preflight", "backup"), NOT_TOUCHED),
        ("deploy", ("preflight", "backup", "apply"), LOOK),
        ("deploy", ("apply", "verify"), LOOK),
        ("emergency_rollback", ("preflight", "emergency_backup"), NOT_TOUCHED),
        ("emergency_rollback", ("preflight", "emergency_rollback"), LOOK),
        ("restore", ("preflight", "restore", "swap"), LOOK),
        ("restore", ("preflight", "restore"), NOT_TOUCHED),
        ("rehearse", ("preflight", "rehearse"), NOT_TOUCHED),
    ],
)
def test_a_run_of_the_runbook(playbook: str, steps: tuple[str, ...], state: str) -> None:
    assert at_work(playbook, *steps).interrupted() == [
        "",
        f"Interrupted in step {steps[-1]} on books.",
        state,
    ]


def test_one_of_several_databases_whose_run_has_ended_is_not_at_work() -> None:
    made = at_work("deploy", "apply")
    made.begin_step("films", "backup")
    made.end_run("books")
    made.end_run("never begun")
    assert made.interrupted()[1:] == ["Interrupted in step backup on films.", NOT_TOUCHED]


def test_of_several_that_are_at_work_each_is_named_and_one_that_is_touched_decides() -> None:
    made = at_work("deploy", "apply")
    made.begin_step("films", "backup")
    assert made.interrupted()[1:] == ["Interrupted in step apply on books, step backup on films.", LOOK]


@pytest.mark.parametrize(("step", "state"), [("rehearse", NOT_TOUCHED), ("apply", LOOK)])
def test_whether_the_application_may_be_kept_out_is_said_whatever_production_is_in(
    step: str, state: str
) -> None:
    made = at_work("deploy", "preflight")
    made.open_maintenance("books")
    made.begin_step("books", step)
    assert made.interrupted()[1:] == [
        f"Interrupted in step {step} on books.",
        state,
        "The application on books may be out of service, as this run was to keep it. The next command gives it back,"
        " and says so: ansible-playbook playbooks/status.yml",
    ]
    made.end_run("books")
    made.begin_step("films", step)
    assert made.interrupted()[1:] == [f"Interrupted in step {step} on films.", state]


@pytest.mark.parametrize(
    "made",
    [
        at_work(None, "apply"),
        at_work("status", "status"),
        at_work("deploy"),
        at_work("deploy", ""),
    ],
    ids=["another play", "the status", "before the first step", "a task that is none"],
)
def test_of_what_is_no_run_nothing_is_said(made: AtWork) -> None:
    assert made.interrupted() == []


def test_nor_of_one_that_has_ended_by_itself() -> None:
    made = at_work("deploy", "apply")
    made.end()
    assert made.interrupted() == []


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (at_work("deploy"), [CORRECT]),
        (at_work("deploy", "preflight"), [CORRECT]),
        (at_work("deploy", "preflight", "apply"), [LOOK]),
        (at_work("rehearse", "rehearse"), [CORRECT]),
        (at_work(None), []),
        (at_work("status"), []),
    ],
)
def test_a_failure_without_a_report(made: AtWork, said: list[str]) -> None:
    # A play that takes back a batch comes after that of the deploy, and may have none of its hosts.
    made.begin_play("emergency_rollback" if said else None)
    made.end()
    assert made.failed("books") == said
