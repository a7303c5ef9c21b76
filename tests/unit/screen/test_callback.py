# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the stdout callback shows of one database, of a few that are at work together, and of very many."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.callback.runbook import CallbackModule
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.events import LONGEST_OUTPUT, reason_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.moving import Screen

from tests.unit.record.records import record, run_until, settled


class Shown:
    """A callback that has seen a play begin, and what it has printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
        self.lines: list[str] = []
        monkeypatch.setattr(Screen, "databases", 1)
        self.callback = CallbackModule()
        monkeypatch.setattr(
            self.callback._display, "display", lambda line, **_options: self.lines.append(line)
        )
        variables = SimpleNamespace(get_vars=lambda play: {"ansible_play_batch": list(hosts)})
        self.callback.v2_playbook_on_play_start(
            SimpleNamespace(
                get_name=lambda: "Deploy a migration",
                get_vars=lambda: {"runbook_playbook": "deploy"},
                strategy="linear",
                get_variable_manager=lambda: variables,
            )
        )

    def step(self, host: str, step: str, failed: bool = False, **content: Any) -> None:
        task = SimpleNamespace(
            action=f"pgops.runbook.{step}", args={}, check_mode=False, loop=None, get_name=lambda: step
        )
        result = SimpleNamespace(host=SimpleNamespace(get_name=lambda: host), task=task, result=content)
        (self.callback.v2_runner_on_failed if failed else self.callback.v2_runner_on_ok)(result)

    def ended(self, host: str, run: dict[str, Any], succeeded: bool) -> None:
        run = {**run, "target": host}
        self.step(host, "announce", run=run, run_json="run.json", report=["long"], succeeded=succeeded)


@pytest.fixture
def deployed(tmp_path: Any) -> dict[str, Any]:
    made = run_until(record(tmp_path), None)
    settled(made)
    return made.content


REFUSED = {"msg": "It was said why.", "reason_code": "schema_drifted", "outcome": "refused"}


def test_a_few_have_a_line_for_each_step_and_one_for_the_end(
    monkeypatch: pytest.MonkeyPatch, deployed: dict[str, Any]
) -> None:
    shown = Shown(monkeypatch, "db1", "db22")
    shown.step("db1", "fleet", goes_on=True, batch=2, batches=3)
    shown.step("db1", "verify", seconds=1.0, outputs={})
    shown.step("db22", "preflight", failed=True, **REFUSED)
    shown.step("db1", "preflight", failed=True, **REFUSED)
    shown.ended("db1", deployed, succeeded=True)
    assert shown.lines[0] == "Deploy a migration: batch 2 of 3"
    assert shown.lines[1] == "  ✓ db1   verify                 1.0 s  the schema is the rehearsed one"
    assert shown.lines[2].startswith("  ✗ db22  preflight")
    assert shown.lines.count("    It was said why.") == 2, "each of the databases has its own reason"
    assert shown.lines[-1].startswith("  ✓ db1   deployed ")


def test_of_very_many_each_has_one_line_and_a_failure_its_reason(
    monkeypatch: pytest.MonkeyPatch, deployed: dict[str, Any]
) -> None:
    shown = Shown(monkeypatch, *(f"db{number:02}" for number in range(11)))
    shown.step("db01", "verify", seconds=1.0, outputs={})
    assert shown.lines == []
    shown.ended("db01", deployed, succeeded=True)
    shown.step("db02", "preflight", failed=True, **REFUSED)
    refused = {**deployed, **REFUSED, "reason": REFUSED["msg"], "migrations": ["002"]}
    shown.ended("db02", refused, succeeded=False)
    assert [line[:16].rstrip() for line in shown.lines[:4]] == [
        "Deploy a migrati",
        "  ✓ db01  deploy",
        "  ✗ db02  prefli",
        "    It was said",
    ]
    assert "    State: Production was not touched." in shown.lines
    assert sum("It was said why." in line for line in shown.lines) == 1


def test_one_alone_has_its_heading_and_its_report(
    monkeypatch: pytest.MonkeyPatch, deployed: dict[str, Any]
) -> None:
    shown = Shown(monkeypatch, "db1")
    shown.step("db1", "verify", seconds=1.0, outputs={})
    shown.ended("db1", deployed, succeeded=True)
    assert shown.lines[:3] == [
        "Deploy a migration: db1",
        "  ✓ verify                 1.0 s  the schema is the rehearsed one",
        "",
    ]
    assert shown.lines[3].startswith("deployed: ")


def test_what_a_debug_of_a_variable_shows_is_not_taken_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, "db1")
    monkeypatch.setattr(shown.callback, "_clean_results", lambda content, action: None)
    monkeypatch.setattr(shown.callback, "_dump_results", str)
    task = SimpleNamespace(action="ansible.builtin.debug", args={}, check_mode=False, loop=None)
    result = SimpleNamespace(host=SimpleNamespace(get_name=lambda: "db1"), task=task, result={"x": 1})
    shown.callback.v2_runner_on_ok(result)
    assert shown.lines[-1] == "{'x': 1}"


def test_a_database_that_is_left_untouched_has_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, "db1", "db2")
    shown.step("db1", "fleet", goes_on=False, ends_play=True, batch=2, batches=2)
    stats = SimpleNamespace(processed={"db1": 1}, summarize=lambda host: {})
    shown.callback.v2_playbook_on_stats(stats)
    assert shown.lines == []


def test_why_a_task_failed_is_its_message_and_the_end_of_what_was_said() -> None:
    said = reason_of({"msg": "It died.", "stdout": " ", "stderr": "x" * LONGEST_OUTPUT + "the end\n"})
    assert said.startswith("It died.\nx")
    assert said.endswith("xthe end")
    assert len(said) == len("It died.\n") + LONGEST_OUTPUT
    assert reason_of({}) == "it failed without a message"
    assert reason_of({"censored": "it is secret"}) == "it is secret"


def test_what_rows_hold_does_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, "midi")
    reason = "Key (x)=(\x1b[1A\x1b[2K\rdeployed: 002\x1b[8m) is duplicated."
    shown.step("midi", "apply", failed=True, **{**REFUSED, "msg": reason})
    assert r"    Key (x)=(\x1b[1A\x1b[2K\rdeployed: 002\x1b[8m) is duplicated." in shown.lines


def test_nor_does_what_the_report_at_the_end_names(
    monkeypatch: pytest.MonkeyPatch, deployed: dict[str, Any]
) -> None:
    shown = Shown(monkeypatch, "midi")
    shown.ended("midi", {**deployed, "migrations": ["002\x1b[2J"]}, succeeded=True)
    assert any(r"002\x1b[2J" in line for line in shown.lines), shown.lines
    assert not any("\x1b" in line for line in shown.lines)


def test_of_a_result_that_is_hidden_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, "midi")
    shown.step("midi", "apply", censored="the output has been hidden", changed=True)
    assert shown.lines[-1].endswith("(what it found is hidden: no_log)")
