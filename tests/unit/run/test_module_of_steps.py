# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module of all steps, executed by an action plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import module_of_steps
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.module_of_steps import ModuleOfSteps, failure
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.own_machine import execute

from tests.unit.run.action_plugins import ARGUMENTS, HERE, plugin_of


class StatusPlugin(ModuleOfSteps):
    """Of a task that calls the status."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._run_module(ARGUMENTS, task_vars or {})


@pytest.fixture
def plugin() -> ModuleOfSteps:
    return plugin_of(StatusPlugin, "status")


def test_it_is_the_step_of_the_task(plugin: ModuleOfSteps) -> None:
    result = plugin.run(task_vars=HERE)
    assert (result["failed"], result["step"]) == (True, "status")
    assert "/nowhere" in result["msg"]


def test_another_step_is_executed_in_between_and_then_the_tasks_own_again(plugin: ModuleOfSteps) -> None:
    told = plugin._tell_the_ledger({"playbook": "deploy"}, {"database_in_service": True}, ARGUMENTS, HERE)
    assert (told["failed"], told["step"]) == (True, "announce")
    assert plugin.run(task_vars=HERE)["step"] == "status"


def test_the_plan_is_handed_on_as_one_text_and_not_answered(
    plugin: ModuleOfSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a script that fills a table it has thousands of statements, each of several parts."""
    plan, given = {"migrations": [{"version": "001", "description": "déjà"}]}, []

    def executed(arguments: dict[str, Any], meanwhile: Any) -> dict[str, Any]:
        given.append(arguments["plan"])
        return execute(arguments, meanwhile)

    monkeypatch.setattr(module_of_steps, "execute", executed)
    result = plugin._run_module({**ARGUMENTS, "plan": plan}, HERE)
    assert [json.loads(text) for text in given] == [plan]
    assert result["invocation"]["module_args"]["run"]["playbook"] == "status"
    assert "plan" not in result["invocation"]["module_args"]


def test_nothing_of_a_script_is_in_the_log_of_the_host(
    plugin: ModuleOfSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default each module writes its arguments there, and a script may make a role with its password."""
    log = tmp_path / "log"

    def written(*words: object) -> None:
        with log.open("a", encoding="utf-8") as file:
            print(*words, file=file)

    monkeypatch.setattr("syslog.syslog", written)
    monkeypatch.setattr("ansible.module_utils.basic.has_journal", False)
    plan = {"migrations": [{"apply": {"statements": [{"sql": "CREATE ROLE a PASSWORD 'secret'"}]}}]}
    assert plugin._run_module({**ARGUMENTS, "plan": plan}, HERE)["step"] == "status"
    assert not log.exists() or "secret" not in log.read_text(encoding="utf-8")


def test_a_password_that_cannot_be_read_executes_nothing(plugin: ModuleOfSteps, tmp_path: Path) -> None:
    target = {**ARGUMENTS["target"], "password_file": str(tmp_path / "gone")}
    result = plugin._run_module({**ARGUMENTS, "target": target}, HERE)
    assert (result["failed"], result["step"]) == (True, None), result


def test_a_module_that_was_killed_leaves_no_file_of_progress(
    plugin: ModuleOfSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is the next to work on the host removes it, too; there may be nobody."""
    progress = tmp_path / "progress"

    def killed(*_: object) -> dict[str, Any]:
        progress.touch()
        return {"rc": 137, "stdout": "", "stderr": ""}

    monkeypatch.setattr(module_of_steps, "execute", killed)
    result = plugin._run_module({**ARGUMENTS, "progress_file": str(progress)}, HERE)
    assert result["failed"]
    assert not progress.exists()


def test_a_failure_has_what_the_result_of_a_step_has() -> None:
    told = failure("host_unreachable", "It is away.", "refused", 0.0)
    assert told.pop("seconds") > 0
    assert told == {
        "failed": True,
        "reason_code": "host_unreachable",
        "msg": "It is away.",
        "outcome": "refused",
        "step": None,
        "receipts": [],
    }
