# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which process a run belongs to, also where that is gone before the run has begun."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record import controller
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.controller import (
    lives,
    process_start,
    this_controller,
)

PROJECT = Path(__file__).resolve().parents[3]

# As ansible-playbook does: a process forked for a task, whose parent is killed before the task has looked.
ORPHAN = """
import json, multiprocessing, os, signal, sys, time
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.controller import this_controller
parent = os.getpid()
def task():
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    with open(sys.argv[1] + ".part", "w") as file:
        json.dump([parent, this_controller()], file)
    os.rename(sys.argv[1] + ".part", sys.argv[1])
multiprocessing.get_context("fork").Process(target=task).start()
time.sleep(60)
"""


def test_a_task_knows_its_controller_after_that_was_killed(tmp_path: Path) -> None:
    said = tmp_path / "said"
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(said)],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "collections")},
        capture_output=True,  # until the orphan too has closed them
    )
    assert done.returncode == -9, done.stderr
    parent, controller = json.loads(said.read_text(encoding="utf-8"))
    assert controller["pid"] == parent
    assert lives(controller) is False


def _tell(connection: multiprocessing.connection.Connection) -> None:
    connection.send(this_controller())


def test_a_task_s_controller_is_the_process_that_forked_it() -> None:
    ours, theirs = multiprocessing.Pipe()
    task = multiprocessing.get_context("fork").Process(target=_tell, args=(theirs,))
    task.start()
    controller = ours.recv()
    task.join()
    assert (controller["pid"], controller["process_start"]) == (os.getpid(), process_start(os.getpid()))
    assert lives(controller) is True


def test_where_no_process_can_be_looked_up_none_is_dead() -> None:
    elsewhere = {**this_controller(), "boot_id": "another machine"}
    assert lives(elsewhere) is None
    assert lives({}) is None
    assert lives({**this_controller(), "pid": 2**30, "process_start": None}) is False


def test_one_that_was_killed_and_that_nobody_has_asked_for_is_dead() -> None:
    """As for ever in a container without an init."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed = {**this_controller(), "pid": process.pid, "process_start": process_start(process.pid)}
    assert lives(killed) is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}/stat").exists()
    assert lives(killed) is False
    process.communicate()


def test_of_a_process_that_is_hidden_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another user's under hidepid, or every one where there is no /proc."""
    theirs = {**this_controller(), "pid": 2**22 + 1}
    assert lives(theirs) is False

    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert lives(theirs) is None
    monkeypatch.setattr(controller, "_read", lambda path: None)
    assert lives(this_controller()) is None
