# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module crashes, is killed, or has no psycopg2: output and run.json hold the cause, and what is true is told."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stories.application import Application, Run
from tests.integration.stories.test_second_run import wait_for

# Python reads it at its start. One step ends in another way than it should, at its first connection.
PLANT = """
import os
import sys
import psycopg2

real = psycopg2.connect

def connect(*arguments, **keywords):
    basic = sys.modules.get("ansible.module_utils.basic")
    if b'"pgops.runbook.{step}"' in (getattr(basic, "_ANSIBLE_ARGS", None) or b"") and not os.path.exists("{once}"):
        open("{once}", "w").close()
        {end}
    return real(*arguments, **keywords)

psycopg2.connect = connect
"""

# It ends when the transaction is committed in which it wrote a receipt.
AFTER_COMMIT = """
import os
import signal
import sys
import psycopg2
import psycopg2.extensions

real = psycopg2.connect

class Cursor(psycopg2.extensions.cursor):
    def execute(self, query, *arguments):
        super().execute(query, *arguments)
        self.connection.writes = "INSERT INTO runbook.receipt" in str(query) or self.connection.writes

class Connection(psycopg2.extensions.connection):
    writes = False

    def cursor(self, *arguments, **keywords):
        return super().cursor(*arguments, **{{"cursor_factory": Cursor, **keywords}})

    def commit(self):
        super().commit()
        basic = sys.modules.get("ansible.module_utils.basic")
        if self.writes and b'"pgops.runbook.{step}"' in (getattr(basic, "_ANSIBLE_ARGS", None) or b""):
            if not os.path.exists("{once}"):
                open("{once}", "w").close()
                {end}

psycopg2.connect = lambda *arguments, **keywords: real(
    *arguments, **{{"connection_factory": Connection, **keywords}}
)
"""

# The code of one step cannot be loaded.
DAMAGED = """
import importlib

real = importlib.import_module

def import_module(name, package=None):
    if name.endswith("module_utils.steps.{step}"):
        raise KeyError("the moon")
    return real(name, package)

importlib.import_module = import_module
"""

# The record of a step breaks on the controller, when the module has done its work and said so.
BROKEN_RECORD = """
import builtins
import sys

real = builtins.__import__

def planted(name, *arguments, **keywords):
    module = real(name, *arguments, **keywords)
    record = sys.modules.get("ansible_collections.pgops.runbook.plugins.plugin_utils.record.record")
    found = getattr(record, "RunRecord", None)
    if found is not None and not hasattr(found, "really_end"):
        found.really_end = found.end

        def end(self, step, result):
            if step == "{step}":
                raise ValueError("the moon")
            self.really_end(step, result)

        found.end = end
    return module

builtins.__import__ = planted
"""

RAISE = "raise ValueError('the moon\\nis full')"
# What is typed next, where the state is not known and where it is.
LOOK = "ansible-playbook playbooks/status.yml"
AGAIN = "It had committed nothing. When the cause is gone, type the same command again."

KILL = "os.kill(os.getpid(), 9)"


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
    """Options of a run in which the first process of a step ends so."""
    return _with_site(folder, way, PLANT.format(step=step, end=end, once=folder / "once"))


def killed_after_commit(folder: Path, way: str, step: str) -> dict[str, Any]:
    """Options of a run in which the first process of a step dies when it has committed."""
    kills = "os.kill(os.getpid(), signal.SIGKILL)"
    return _with_site(folder, way, AFTER_COMMIT.format(step=step, once=folder / "once", end=kills))


def session_ended_after_commit(folder: Path, step: str) -> dict[str, Any]:
    """Options of a run in which the session of a step is ended when it has committed."""
    ends = 'real(self.dsn).cursor().execute("SELECT pg_terminate_backend(%s)", (self.info.backend_pid,))'
    return _with_site(folder, "forked", AFTER_COMMIT.format(step=step, once=folder / "once", end=ends))


def _with_site(folder: Path, way: str, text: str) -> dict[str, Any]:
    """Python begins with the text: one that steps are sent to, or that of ansible-playbook, which forks them."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(text, encoding="utf-8")
    if way == "forked":
        return {"env": {"PYTHONPATH": str(site)}}
    return {"ansible_python_interpreter": python(folder, PYTHONPATH=str(site))}


# What becomes of a step is told alike; the ways differ in how its process ends, and one that is sent costs most.
both_ways = pytest.mark.parametrize("way", ["sent", "forked"])


def check(run: Run, outcome: str, step: str, code: str, *words: str, look: str = LOOK) -> None:
    """One sentence in run.json and on the screen, with the outcome, what production has, and what to type."""
    record = run.record
    assert run.status not in (0, None), run.output
    assert (record["outcome"], record["failed_step"], record["reason_code"]) == (outcome, step, code), record
    assert run.step(step)["reason_code"] == code
    for word in (*words, look):
        assert word in record["reason"], record["reason"]
    assert "\n" not in record["reason"]
    said = " ".join(run.output.split())
    assert record["reason"] in said.replace('\\"', '"'), run.output
    assert f"Reason code: {code}" in said
    assert "State: " in said
    assert "CapturedErrorSummary" not in run.output + json.dumps(record)


def test_a_module_that_raises_before_production_is_touched(application: Application, tmp_path: Path) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **planted(tmp_path, "forked", "backup", RAISE))
    check(
        run,
        "refused",
        "backup",
        "step_crashed",
        "ValueError: the moon is full (site/sitecustomize.py line 12)",
    )
    assert "Production was not touched." in run.output
    assert application.contents(ledger=False) == before


@both_ways
def test_a_module_that_raises_in_production(application: Application, tmp_path: Path, way: str) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **planted(tmp_path, way, "apply", RAISE))
    check(
        run,
        "unchanged",
        "apply",
        "step_crashed",
        "the moon is full (site/sitecustomize.py line 12)",
        look=AGAIN,
    )
    assert application.contents(ledger=False) == before


@both_ways
def test_a_step_whose_code_cannot_be_loaded_has_not_begun(
    application: Application, tmp_path: Path, way: str
) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **_with_site(tmp_path, way, DAMAGED.format(step="apply")))
    again = "It did not begin. When the cause is gone, type the same command again."
    loaded = "its code cannot be loaded: KeyError: 'the moon' (sitecustomize.py line 8)"
    check(run, "unchanged", "apply", "step_not_begun", loaded, look=again)
    assert "nothing was taken back" not in run.output
    assert application.contents(ledger=False) == before
    assert outcome_in_ledger(application) == "unchanged"
    assert application.deploy("002").status == 0


def test_nor_has_a_rollback(application: Application, tmp_path: Path) -> None:
    assert application.deploy("002").status == 0
    before = application.contents(ledger=False)
    site = _with_site(tmp_path, "forked", DAMAGED.format(step="emergency_rollback"))
    run = application.run("emergency_rollback.yml", "-e", "migration=002", **site)
    again = "It did not begin. When the cause is gone, type the same command again."
    check(run, "unchanged", "emergency_rollback", "step_not_begun", "KeyError: 'the moon'", look=again)
    assert application.contents(ledger=False) == before


@pytest.mark.parametrize(
    ("way", "step", "outcome", "look"),
    [
        ("forked", "backup", "refused", LOOK),
        ("forked", "apply", "unchanged", AGAIN),
        ("sent", "apply", "unchanged", AGAIN),
    ],
)
def test_a_module_that_is_killed(
    application: Application, tmp_path: Path, way: str, step: str, outcome: str, look: str
) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **planted(tmp_path, way, step, KILL))
    check(run, outcome, step, "step_killed", "killed by signal 9 (SIGKILL)", look=look)
    assert application.contents(ledger=False) == before
    assert outcome_in_ledger(application) == outcome
    assert application.deploy("002").status == 0


def test_the_time_of_a_step_that_was_killed_is_its_own(application: Application, tmp_path: Path) -> None:
    """And not that of the question to the ledger what has become of it."""
    slowly = f"__import__('time').sleep(1.5); {KILL}"
    run = application.deploy("002", **planted(tmp_path, "forked", "apply", slowly))
    check(run, "unchanged", "apply", "step_killed", "killed by signal 9", look=AGAIN)
    assert run.step("apply")["seconds"] >= 1.5
    assert run.step("rehearse")["started"] <= run.step("apply")["started"]


@both_ways
def test_a_deploy_whose_module_is_killed_after_its_commit_is_taken_back(
    application: Application, tmp_path: Path, way: str
) -> None:
    before, left = application.contents(ledger=False), files_of_progress()
    run = application.deploy("002", **killed_after_commit(tmp_path, way, "apply"))
    # Those of runs beside this one go when their steps end.
    here = files_of_progress() - left if way == "forked" else set()
    wait_for("the end of each file of progress", lambda: not here & files_of_progress(), seconds=60)
    killed = "The process of step apply was killed by signal 9 (SIGKILL) before it could report."
    assert (run.record["outcome"], run.record["reason_code"]) == ("rolled_back", "step_killed")
    assert run.record["reason"] == f"{killed} It had committed 002."
    assert run.step("apply")["committed"] == ["002"]
    assert application.contents(ledger=False) == before
    assert outcome_in_ledger(application) == "rolled_back"


@pytest.mark.parametrize("playbook", ["deploy.yml", "emergency_rollback.yml"])
def test_a_run_whose_session_was_ended_as_it_was_opened_is_closed(
    application: Application, tmp_path: Path, playbook: str
) -> None:
    if playbook != "deploy.yml":
        assert application.deploy("002").status == 0
    before = application.contents(ledger=False)
    options = session_ended_after_commit(tmp_path, "preflight")
    run = application.run(playbook, "-e", "migration=002", **options)
    assert (run.record["outcome"], run.record["reason_code"]) == ("refused", "postgresql_error"), run.output
    assert outcome_in_ledger(application) == "refused"
    assert application.contents(ledger=False) == before


def test_a_rollback_whose_module_is_killed_after_its_commit_says_that_it_is_done(
    application: Application, tmp_path: Path
) -> None:
    before = application.contents(ledger=False)
    assert application.deploy("002").status == 0
    options = killed_after_commit(tmp_path, "forked", "emergency_rollback")
    run = application.run("emergency_rollback.yml", "-e", "migration=002", **options)
    assert (run.record["outcome"], run.record["reason_code"]) == ("failed", "step_killed")
    assert run.record["reason"].endswith(" It had taken back 002.")
    assert "Production WAS ROLLED BACK, but the run broke off before the check after it." in run.output
    assert application.contents(ledger=False) == before
    assert outcome_in_ledger(application) == "failed"


def files_of_progress() -> set[str]:
    """Their names, of every run on this machine."""
    return {path.name for path in Path("/tmp").glob(".pgops-runbook-progress-*")}


def outcome_in_ledger(application: Application) -> str:
    """Of the newest run."""
    (database,) = application.databases
    with (
        contextlib.closing(application.server.connect(database)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT outcome FROM runbook.run ORDER BY started DESC LIMIT 1")
        return cursor.fetchone()[0]


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


def test_a_psycopg2_that_cannot_be_loaded_is_not_called_missing(
    application: Application, tmp_path: Path
) -> None:
    package = tmp_path / "damaged" / "psycopg2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('libpq.so.5: cannot open shared object file')\n")
    interpreter = python(tmp_path, PYTHONPATH=str(package.parent))
    run = application.deploy("002", ansible_python_interpreter=interpreter)
    assert run.record["reason_code"] == "psycopg2_missing"
    assert (
        "psycopg2 cannot be loaded (libpq.so.5: cannot open shared object file) on the host"
        in run.record["reason"]
    )


def test_a_record_that_breaks_after_the_commit_is_no_deploy_that_never_was(
    application: Application, tmp_path: Path
) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("002", **_with_site(tmp_path, "forked", BROKEN_RECORD.format(step="apply")))
    assert run.status not in (0, None)
    assert run.record["outcome"] == "rolled_back", run.output
    assert run.record["unreported"] == ["apply"]
    assert "its record met an unexpected error: ValueError('the moon')" in run.record["reason"].replace(
        '"', ""
    )
    assert "Production was not touched" not in run.output
    assert application.contents(ledger=False) == before, "taken back"


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
    assert "-m pip install --force-reinstall pglast" in said
    assert "Traceback" not in run.output
    assert application.contents() == before
