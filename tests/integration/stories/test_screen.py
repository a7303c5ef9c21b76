# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the person on call sees: one line a step, a line that moves, each failure once, and a short end."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.restore_runs import wait_for
from tests.integration.stories.application import PROJECT, Application, inventory_as_typed, write_scripts

STEPS = [
    "preflight",
    "maintenance_window",
    "backup",
    "verify_restore",
    "rehearse",
    "apply",
    "verify",
    "smoke_test",
]

# The same Python by another name, which is not known to be the same.
SENT = {"ansible_python_interpreter": "{{ ansible_playbook_python | dirname }}/../bin/python"}

SLOW = {
    "migrations/020_slow.sql": "-- Requires: 001\nSELECT pg_sleep(2.5);\nALTER TABLE notes ADD COLUMN slow int;\n",
    "rollback/020_slow_rollback.sql": "ALTER TABLE notes DROP COLUMN slow;\n",
}


@pytest.fixture
def slow(application: Application, tmp_path: Path) -> Application:
    """The application with a migration that takes its time."""
    application.sql_dir = write_scripts(tmp_path / "sql")
    for name, text in SLOW.items():
        (application.sql_dir / name).write_text(text, encoding="utf-8")
    return application


def on_a_terminal(application: Application, *arguments: str) -> tuple[int, str]:
    """Exit status of a deploy, and all that it wrote to its terminal."""
    # Writes the inventory.
    application.finish(application.start("deploy.yml", "--syntax-check"))
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(application.folder / "inventory.yml"), "deploy.yml", *arguments),
        ],
        cwd=PROJECT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.STDOUT,
    )
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(master)
    return process.wait(), written.decode()


def seen_at_the_end(written: str) -> list[str]:
    """The lines that stand on a terminal when all was written: without colours, and what was written over."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written).replace("\r\n", "\n")
    return [line.rsplit("\r\x1b[K", 1)[-1].rstrip() for line in plain.split("\n")]


def test_a_deploy_on_a_terminal(slow: Application) -> None:
    status, written = on_a_terminal(slow, "-e", "migration=020")
    assert status == 0, written
    moving = re.findall(r"\r\x1b\[K(  · rehearse +\d+ s  [^\r\n]*statements: 0 of 2[^\r\n]*)", written)
    assert moving, "the line did not move while a statement was at work"
    lines = seen_at_the_end(written)
    assert lines[0] == f"Deploy a migration: {slow.databases[0]}"
    assert [line.split()[1] for line in lines if line.startswith("  ✓ ")] == STEPS
    assert not [line for line in lines if line.startswith("  · ")], "nothing is left of the moving line"
    end = lines[lines.index("") + 1 :]
    assert end[0] == f"deployed: 020 on {slow.databases[0]} (database {slow.databases[0]})"
    here = inventory_as_typed(slow.folder)
    assert f"Roll back: ansible-playbook emergency_rollback.yml{here} -e migration=020" in end
    assert len(end) <= 15


def test_where_a_step_is_sent_the_line_moves_as_well(slow: Application) -> None:
    slow.variables.update(SENT)
    before = set(Path("/tmp").glob(".pgops-runbook-progress-*"))
    status, written = on_a_terminal(slow, "-e", "migration=020")
    assert status == 0, written
    assert re.search(r"\r\x1b\[K  · apply +\d+ s  [^\r\n]*statements: 0 of 2", written)
    # Other tests may be at work, whose files go with their steps.
    left = set(Path("/tmp").glob(".pgops-runbook-progress-*")) - before
    wait_for(lambda: not any(path.exists() for path in left))


@pytest.mark.parametrize(
    ("migration", "reason"),
    [
        ("004", "migration 004 requires 003"),
        ("013", "check constraint"),
        ("999", "there is no migration '999'"),
    ],
)
def test_a_failure_is_said_once_with_what_production_is_in(
    application: Application, migration: str, reason: str
) -> None:
    run = application.deploy(migration)
    assert run.status != 0
    text = " ".join(run.output.split())
    assert text.count(reason) == 1, run.output
    assert "  ✗ " in run.output
    assert f"Reason code: {run.record['reason_code']}" in run.output
    assert "State: Production " in run.output
    for foreign in ("Traceback", "[ERROR]", "Origin:", "TASK [", "fatal:"):
        assert foreign not in run.output


def test_what_a_command_said_that_failed_is_shown(application: Application) -> None:
    run = application.deploy(
        "002", maintenance_window_open_command=["sh", "-c", "echo to the one; echo to the other >&2; exit 3"]
    )
    assert run.status != 0
    assert "to the one" in run.output
    assert run.output.count("to the other") >= 1
    assert "State: Production was not touched." in run.output


def test_a_command_that_does_not_end_is_named_and_ended(application: Application) -> None:
    run = application.deploy(
        "002",
        "-e",
        "maintenance_window_timeout_seconds=1",
        maintenance_window_open_command=["sh", "-c", "echo so far; sleep 600"],
    )
    assert run.status != 0
    (line,) = [one for one in run.output.splitlines() if "waits for" in one]
    assert line.split() == [
        "·",
        "maintenance_window",
        "0",
        "s",
        "waits",
        "for",
        "maintenance_window_open_command",
    ]
    assert "so far" in run.output
    assert run.record["outcome"] == "refused"
    assert run.record["reason"] == "maintenance_window_open_command: sh had not ended after 1 s"


@pytest.mark.parametrize(
    ("step", "state", "arguments"),
    [
        ("rehearse", "Production was not touched. Type the same command again.", ["-v"]),
        ("apply", "What production has is in its ledger. Look: ansible-playbook playbooks/status.yml", []),
    ],
    ids=["rehearse, with -v", "apply"],
)
def test_an_interrupted_run_says_what_production_is_in(
    slow: Application, step: str, state: str, arguments: list[str]
) -> None:
    process = slow.start("deploy.yml", "-e", "migration=020", *arguments)
    (database,) = slow.databases
    where = database if step == "apply" else "runbook_copy_%"
    with contextlib.closing(slow.server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        wait_for(lambda: _sleeps(cursor, where))
    process.send_signal(signal.SIGINT)
    run = slow.finish(process)
    assert run.status != 0
    lines = [line.strip() for line in run.output.splitlines()]
    assert lines[-2:] == [f"Interrupted in step {step} on {database}.", f"State: {state}"], run.output


def test_an_interrupted_run_says_that_the_application_is_kept_out(slow: Application) -> None:
    process = slow.start("deploy.yml", "-e", "migration=020", "-e", "maintenance_mode=read_only")
    (database,) = slow.databases
    with contextlib.closing(slow.server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        wait_for(lambda: _sleeps(cursor, "runbook_copy_%"))
    process.send_signal(signal.SIGINT)
    run = slow.finish(process)
    last = run.output.splitlines()[-1]
    assert f"The application on {database} may be out of service" in last, run.output
    # As long as the step itself is at work, the status says that and leaves it alone.
    wait_for(lambda: "IN SERVICE AGAIN" in slow.run("playbooks/status.yml").output)


def test_a_command_one_of_whose_processes_is_killed_ends_and_says_so(slow: Application) -> None:
    process = slow.start("deploy.yml", "-e", "migration=020")
    (database,) = slow.databases
    with contextlib.closing(slow.server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        wait_for(lambda: _sleeps(cursor, database))
    # The kernel chooses the process of the task, which has the most memory; not as soon as it begins.
    time.sleep(1)
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    os.kill(int(worker), signal.SIGKILL)
    run = slow.finish(process)
    assert run.status != 0
    killed, _, where, state = (line.strip() for line in run.output.splitlines()[-4:])
    assert killed.startswith(f"A process of this command was killed (SIGKILL, pid {worker})"), run.output
    assert where == f"Interrupted in step apply on {database}."
    assert state == "State: What production has is in its ledger. Look: ansible-playbook playbooks/status.yml"


def _sleeps(cursor: Any, database: str) -> bool:
    cursor.execute(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname LIKE %s AND wait_event = 'PgSleep'",
        (database,),
    )
    return cursor.fetchone()[0]


def test_verbose_shows_what_ansible_shows(application: Application) -> None:
    run = application.deploy("004", "-v")
    assert run.status != 0
    for words in ("TASK [preflight : ", "fatal: [", "PLAY RECAP", "Reason: "):
        assert words in run.output
    assert "  ✗ " not in run.output


def test_without_a_terminal_there_is_no_control_character(application: Application) -> None:
    run = application.deploy("002")
    assert run.status == 0, run.output
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", run.output)


def test_another_callback_works_as_ever(application: Application) -> None:
    run = application.deploy("002", env={"ANSIBLE_STDOUT_CALLBACK": "default"})
    assert run.status == 0, run.output
    assert "TASK [announce : Announce | Say how the run ended]" in run.output
    assert "Steps: preflight ok" in run.output
