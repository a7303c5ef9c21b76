# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""When an application is taken back that a run left out of service, and what is said of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.controller import (
    process_start,
    this_controller,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import maintenance

ELSEWHERE = {**this_controller(), "boot_id": "another machine"}
GONE = {**this_controller(), "process_start": "1"}


def run(**facts: Any) -> dict[Any, Any]:
    return {
        "run_id": "r1",
        "playbook": "deploy",
        "since": "2026-01-01T00:00:00Z",
        "close_command": ["/bin/app", "it's back"],
        "mode": None,
        "controller": GONE,
        "ended": False,
        "lease_expired": False,
        "at_work": False,
        **facts,
    }


@pytest.mark.parametrize(
    ("facts", "take_over", "expected"),
    [
        ({}, "", True),
        ({"controller": this_controller()}, "", False),
        ({"controller": this_controller(), "lease_expired": True}, "", False),
        ({"controller": this_controller(), "ended": True}, "", True),
        ({"at_work": True}, "", False),
        ({"at_work": True, "ended": True}, "", True),
        ({"controller": ELSEWHERE}, "", False),
        ({"controller": ELSEWHERE}, "r1", True),
        ({"controller": ELSEWHERE}, "r2", False),
        ({"controller": ELSEWHERE, "lease_expired": True}, "", True),
        ({"controller": ELSEWHERE, "lease_expired": True, "at_work": True}, "", False),
    ],
)
def test_whose_application_is_taken_back(facts: dict[str, Any], take_over: str, expected: bool) -> None:
    assert maintenance.is_left_over(run(**facts), take_over) is expected


def test_a_process_under_the_number_of_a_dead_one_is_not_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        controller = {**this_controller(), "pid": process.pid, "process_start": process_start(process.pid)}
        assert not maintenance.is_left_over(run(controller=controller))
        assert maintenance.is_left_over(run(controller={**controller, "process_start": "1"}))
        process.communicate()
    assert maintenance.is_left_over(run(controller=controller))


def test_the_one_command_that_takes_it_back() -> None:
    at_work = maintenance.out_of_service_sentence(run(at_work=True), False, ["x"])
    assert "of which a step is at work" in at_work
    in_progress = maintenance.out_of_service_sentence(run(controller=this_controller()), False, ["x"])
    assert "which is in progress. It takes the application back when it ends" in in_progress
    elsewhere = maintenance.out_of_service_sentence(run(controller=ELSEWHERE), False, ["x"])
    assert elsewhere.endswith("ansible-playbook playbooks/status.yml -e take_over=r1")
    known = maintenance.out_of_service_sentence(run(), True, ["x"])
    assert known.endswith("This takes the application back: ansible-playbook playbooks/status.yml")
    unknown = maintenance.out_of_service_sentence(run(), True, [])
    typed = unknown.rpartition("status.yml -e ")[2]
    read_by_a_shell = subprocess.run(
        ["sh", "-c", f"printf %s {typed}"], capture_output=True, text=True, check=True
    ).stdout
    assert read_by_a_shell == '{"maintenance_window_close_command": ["/bin/app", "it\'s back"]}'


def take_back(command: Any, seconds: float = 60.0) -> Any:
    return maintenance.take_back(command, seconds, lambda: None)


class Ledger:
    """What a run's ledger was told, and why it could not be told."""

    def __init__(self, failure: Any = None) -> None:
        self.told, self.failure = [], failure

    def __call__(self, run_id: Any, options: Any) -> Any:
        self.told += options
        return self.failure


def taken_back(ledger: Any, command: Any, **facts: Any) -> Any:
    return maintenance.end_maintenance(run(**facts), command, take_back, "", ledger, writes=True)


def test_postgresql_comes_before_the_command_and_needs_none(tmp_path: Path) -> None:
    done, ledger = tmp_path / "done", Ledger()
    said = taken_back(ledger, [], mode="block", close_command=None)
    assert said.startswith("IN SERVICE AGAIN: run r1")
    assert said.endswith("did not take it back; maintenance_mode block was ended.")
    assert ledger.told == ["database_in_service", "maintenance_ended"]
    ledger = Ledger()
    said = taken_back(ledger, ["touch", str(done)], mode="read_only")
    assert said.endswith(
        f"maintenance_mode read_only was ended; maintenance_window_close_command (touch {done}) has done so now."
    )
    assert (ledger.told, done.exists()) == (["database_in_service", "maintenance_ended"], True)
    ledger = Ledger()
    said = taken_back(ledger, [], mode="block")
    assert said.startswith("OUT OF SERVICE: The application is out of service since")
    assert said.endswith("; maintenance_mode block was ended"), "the command is not known here"
    assert ledger.told == ["database_in_service"]


def test_what_postgresql_did_not_give_back_is_tried_again(tmp_path: Path) -> None:
    done, ledger = tmp_path / "done", Ledger("permission denied.")
    said = taken_back(ledger, ["touch", str(done)], mode="block")
    assert said.startswith("OUT OF SERVICE: The application is out of service since")
    assert "by run r1 (deploy with maintenance_mode block)" in said
    assert said.endswith("It was tried: maintenance_mode block could not be ended: permission denied.")
    assert (ledger.told, done.exists()) == (["database_in_service"], False)


def test_who_is_alive_or_only_looks_changes_nothing() -> None:
    ledger = Ledger()
    for facts, writes in (({"controller": this_controller()}, True), ({}, False)):
        known = run(mode="block", close_command=None, **facts)
        said = maintenance.end_maintenance(known, [], take_back, "", ledger, writes=writes)
        assert said.startswith("OUT OF SERVICE")
    assert said.endswith("ansible-playbook playbooks/status.yml")
    assert ledger.told == []


def test_the_command_is_run_and_its_failure_told(tmp_path: Path) -> None:
    done = tmp_path / "it's $(done)"
    assert take_back(["touch", str(done)]) is None
    assert done.exists()
    assert take_back(["sh", "-c", "echo 'no\nanswer' >&2; exit 3"]) == "no answer"
    assert take_back(["sh", "-c", "exit 3"]) == "it ended with 3"
    assert take_back(["/nowhere/app"]) == "/nowhere/app could not be started: No such file or directory"
    assert take_back(["sleep", "60"], 0.2) == "sleep had not ended after 0.2 s"
