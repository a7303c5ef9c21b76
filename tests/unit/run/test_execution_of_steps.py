# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller does around the module of a step: before it, a second time, and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.controller import this_controller
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.execution_of_steps import (
    ExecutionOfSteps,
    StepCall,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.parsed_before import parsed_before

from tests.unit.record.records import record
from tests.unit.run.action_plugins import ARGUMENTS, HERE, plugin_of

PROJECT = Path(__file__).resolve().parents[3]
DONE = {"failed": False, "step": "x", "outputs": {}}


class Plugin(ExecutionOfSteps):
    """Executes steps whose modules answer as they are told, and keeps what they were given."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        raise NotImplementedError

    def answer(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers, self.given = list(answers), []

    def _run_module(
        self, arguments: dict[str, Any], task_vars: dict[str, Any], line: Any = None
    ) -> dict[str, Any]:
        self.given.append(dict(arguments))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def execute(
    tmp_path: Path,
    step: str,
    *answers: dict[str, Any] | Exception,
    playbook: str = "restore",
    **variables: Any,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result of a step, and what its modules were given."""
    plugin = plugin_of(Plugin, step)
    plugin.answer(*answers)
    run = {**ARGUMENTS["run"], "playbook": playbook, "migration": "009", "sql_dir": str(PROJECT / "sql")}
    facts = {**HERE, "inventory_hostname": "library", "maintenance_window_timeout_seconds": 5, **variables}
    call = StepCall(step, {**ARGUMENTS, "run": run}, record(tmp_path, playbook), facts)
    return plugin._execute_step(call), plugin.given


def test_a_module_is_given_the_plan_of_its_run(tmp_path: Path) -> None:
    result, (given,) = execute(tmp_path, "apply", DONE, playbook="deploy")
    assert (result["failed"], result["seconds"] >= 0) == (False, True)
    assert [one["version"] for one in given["plan"]["migrations"]][-1] == "009"


def test_what_it_parses_is_kept_where_ansible_keeps_what_goes_with_the_command(tmp_path: Path) -> None:
    execute(tmp_path, "apply", DONE, playbook="deploy")
    assert parsed_before.folder == Path(constants.DEFAULT_LOCAL_TMP)


@pytest.mark.parametrize(
    ("playbook", "variables"),
    [
        ("restore", {"runbook_health": {"urls": ["ftp://nobody"]}}),
        ("restore", {"maintenance_window_timeout_seconds": 0}),
        ("deploy", {"maintenance_window_timeout_seconds": 0}),
        ("deploy", {"runbook_windows": ["at times"]}),
        ("deploy", {"lock_timeout_seconds": float("nan")}),
        ("emergency_rollback", {"lock_attempts": 0}),
    ],
)
def test_a_setting_that_cannot_be_used_executes_nothing(
    tmp_path: Path, playbook: str, variables: dict[str, Any]
) -> None:
    result, given = execute(tmp_path, "preflight", playbook=playbook, **variables)
    assert (result["failed"], result["reason_code"], result["outcome"]) == (
        True,
        "setting_invalid",
        "refused",
    )
    assert given == []


def test_backups_go_into_no_folder_that_nobody_has_named(tmp_path: Path) -> None:
    plugin = plugin_of(Plugin, "backup")
    plugin.answer()
    call = StepCall("backup", {**ARGUMENTS, "backup_dir": ""}, record(tmp_path, "deploy"), HERE)
    result = plugin._execute_step(call)
    assert (result["reason_code"], result["outcome"]) == ("setting_invalid", "refused")
    assert plugin.given == []


def test_a_host_that_is_away_is_a_failure(tmp_path: Path) -> None:
    result, _ = execute(tmp_path, "swap", AnsibleConnectionFailure("no\n route."))
    assert result["reason_code"] == "host_unreachable"
    assert result["msg"] == "Host library could not be reached during step swap: no route."


def test_a_module_that_did_not_report_is_asked_about_where_it_may_have_changed_production(
    tmp_path: Path,
) -> None:
    killed = {"failed": True, "rc": 137, "msg": "MODULE FAILURE"}
    result, given = execute(tmp_path, "restore", killed)
    assert (result["reason_code"], len(given)) == ("step_killed", 1)
    ledger = {"failed": True, "step": "swap", "reason_code": "unchanged", "msg": "It is as it was."}
    result, (_, asked) = execute(tmp_path, "swap", killed, ledger)
    assert result["msg"] == "It is as it was."
    assert asked["run"]["died"]["code"] == "step_killed"


@pytest.mark.parametrize(("controller", "taken"), [({"process_start": "1"}, True), ({}, False)])
def test_a_dead_run_is_taken_over_at_once_and_a_living_one_is_not(
    tmp_path: Path, controller: dict[str, Any], taken: bool
) -> None:
    holder = {
        **{
            "run_id": "r1",
            "playbook": "deploy",
            "migrations": ["002"],
            "operator": "ada",
            "started": "today",
        },
        **{"controller": {**this_controller(), **controller}, "lease_expired": True},
    }
    held = {"failed": True, "step": "preflight", "msg": "It is held.", "details": {"holder": holder}}
    result, given = execute(tmp_path, "preflight", held, DONE)
    assert result["failed"] is not taken
    assert [one.get("take_over") for one in given] == [None, "r1"][: len(given)]
    assert len(given) == 1 + taken
    if taken:
        assert given[1]["taken_over_because"] == "gone"
    else:
        assert "Its controller is alive" in result["msg"]


def test_what_a_dead_run_has_left_out_of_service_is_taken_back(tmp_path: Path) -> None:
    left = {
        **{"run_id": "r0", "playbook": "deploy", "since": "today", "mode": "block", "close_command": None},
        **{"ended": True, "at_work": False, "lease_expired": True, "controller": {}, "operator": "ada"},
    }
    result, (_, *told) = execute(tmp_path, "preflight", {**DONE, "out_of_service": [left]}, DONE, DONE)
    assert [(one["run"]["run_id"], one["run"]["playbook"]) for one in told] == [("r0", "deploy")] * 2
    assert (told[0]["database_in_service"], told[1]["maintenance_ended"]) == (True, True)
    assert result["changed"]
    assert "out_of_service" not in result
    (said,) = result["warnings"]
    assert said.startswith("IN SERVICE AGAIN: run r0 had taken")
    assert result["outputs"]["maintenance"] == [said]


def test_where_taking_back_crashed_it_is_said_how(tmp_path: Path) -> None:
    left = {
        **{"run_id": "r0", "playbook": "deploy", "since": "today", "mode": "block", "close_command": None},
        **{"ended": True, "at_work": False, "lease_expired": True, "controller": {}, "operator": "ada"},
    }
    result, _ = execute(tmp_path, "preflight", {**DONE, "out_of_service": [left]}, {"failed": True})
    (said,) = result["warnings"]
    assert "could not be ended: Step announce met an unexpected error" in said


def test_the_application_is_asked_before_the_smoke_test_alone(tmp_path: Path) -> None:
    health = {"urls": ["http://127.0.0.1:1/"], "retries": 0, "delay_seconds": 0, "timeout_seconds": 1}
    _, (given,) = execute(tmp_path, "swap", DONE, runbook_health=health)
    assert "health" not in given
    _, (given,) = execute(tmp_path, "smoke_test", DONE, runbook_health=health)
    assert given["health"]["failure"].startswith("Entry 1 of health_urls (on 127.0.0.1:1)")
