# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module crashes, is killed, or has no psycopg2: output and run.json hold the cause, and what is true is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stories.application import Application, Run

# Python reads it at its start. One step ends in another way than it should, at its first connection.
PLANT = """
import sys
import psycopg2

real = psycopg2.connect

def connect(*arguments, **keywords):
    basic = sys.modules.get("ansible.module_utils.basic")
    if b'"pgops.runbook.{step}"' in (getattr(basic, "_ANSIBLE_ARGS", None) or b""):
        {end}
    return real(*arguments, **keywords)

psycopg2.connect = connect
"""

RAISE = "raise ValueError('the moon\\nis full')"
KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


def python(folder: Path, *options: str, **environment: str) -> str:
    """An interpreter for ansible_python_interpreter that is today's with options or variables of its own."""
    path = folder / "python-of-the-host"
    variables = " ".join(f"{name}='{value}'" for name, value in environment.items())
    path.write_text(
        f"#!/bin/sh\nexec env {variables} '{sys.executable}' {' '.join(options)} \"$@\"\n", encoding="utf-8"
    )
    path.chmod(0o755)
    return str(path)


def planted(folder: Path, way: str, step: str, end: str) -> dict[str, Any]:
    """Options of a deploy in which a step ends so: sent to another Python, or forked on the controller's machine."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(PLANT.format(step=step, end=end), encoding="utf-8")
    if way == "forked":
        return {"env": {"PYTHONPATH": str(site)}}
    return {"ansible_python_interpreter": python(folder, PYTHONPATH=str(site))}


both_ways = pytest.mark.parametrize("way", ["sent", "forked"])


def check(run: Run, outcome: str, step: str, code: str, *words: str) -> None:
    """One sentence in run.json and on the screen, with the outcome, what production has, and what to type."""
    record = run.record
    assert run.status not in (0, None), run.output
    assert (record["outcome"], record["failed_step"], record["reason_code"]) == (outcome, step, code), record
    assert run.step(step)["reason_code"] == code
    for word in (*words, "ansible-playbook playbooks/status.yml"):
        assert word in record["reason"], record["reason"]
    assert "\n" not in record["reason"]
    said = " ".join(run.output.split())
    assert record["reason"] in said.replace('\\"', '"'), run.output
    assert f"Reason code: {code}" in said
    assert "State: " in said
    assert "CapturedErrorSummary" not in run.output + json.dumps(record)


@both_ways
def test_a_module_that_raises_before_production_is_touched(
    application: Application, tmp_path: Path, way: str
) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **planted(tmp_path, way, "backup", RAISE))
    check(run, "refused", "backup", "step_crashed", "ValueError: the moon is full (sitecustomize.py line 10)")
    assert "Production was not touched." in run.output
    assert application.contents(ledger=False) == before


@both_ways
def test_a_module_that_raises_in_production(application: Application, tmp_path: Path, way: str) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **planted(tmp_path, way, "apply", RAISE))
    check(run, "failed", "apply", "step_crashed", "ValueError: the moon is full (sitecustomize.py line 10)")
    assert application.contents(ledger=False) == before


@both_ways
@pytest.mark.parametrize(("step", "outcome"), [("backup", "refused"), ("apply", "failed")])
def test_a_module_that_is_killed(
    application: Application, tmp_path: Path, way: str, step: str, outcome: str
) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **planted(tmp_path, way, step, KILL))
    check(run, outcome, step, "step_killed", "killed by signal 9 (SIGKILL)")
    assert application.contents(ledger=False) == before


def test_a_host_without_psycopg2(application: Application, tmp_path: Path) -> None:
    before = application.contents()
    run = application.deploy("002", ansible_python_interpreter=python(tmp_path, "-S"))
    record = run.record
    assert (record["outcome"], record["failed_step"]) == ("refused", "preflight")
    assert record["reason_code"] == "psycopg2_missing"
    assert record["reason"].startswith("Step preflight could not run: the Python package psycopg2 is missing")
    assert "Install psycopg2-binary for its interpreter" in record["reason"]
    assert "then type the same command again" in record["reason"]
    assert record["reason"] in " ".join(run.output.split()), run.output
    assert "Production was not touched." in run.output
    assert "Traceback" not in run.output
    assert application.contents() == before


def test_an_interpreter_that_is_not_there(application: Application) -> None:
    run = application.deploy("002", ansible_python_interpreter="/nowhere/python3")
    check(run, "refused", "preflight", "step_could_not_run", "/nowhere/python3")


def test_a_controller_without_pglast(application: Application, tmp_path: Path) -> None:
    before = application.contents()
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n\nsys.modules['pglast'] = None  # as if it were not installed\n", encoding="utf-8"
    )
    process = application.start("deploy.yml", "-e", "migration=002", env={"PYTHONPATH": str(tmp_path)})
    run = application.finish(process)
    assert run.status != 0
    said = " ".join(run.output.split())
    assert "is missing on the controller. Production was not touched. Install it: " in said, run.output
    assert "-m pip install pglast" in said
    assert "Traceback" not in run.output
    assert application.contents() == before
