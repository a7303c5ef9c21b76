# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The user's own commands have an end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import LEASE_MINUTES
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.within import (
    LONGEST_SECONDS,
    run_within,
    seconds_of_window,
)


def lives(pid: int) -> bool:
    """Whether it does something; one that nobody has asked for yet does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rsplit(")", 1)[-1].split()[0] != "Z"


def test_what_a_command_reads_says_and_ends_with() -> None:
    command = ["sh", "-c", 'cat; echo "$1 $X" >&2; exit 3', "sh", "it's $(id)"]
    ended = run_within(command, 60, stdin="ä\n", environment={"X": "of the play"})
    assert ended == (3, "ä\n", "it's $(id) of the play\n", None)


def test_one_that_does_not_end_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    pid, looks = tmp_path / "pid", []
    command = ["sh", "-c", f"echo so far; sleep 600 & echo $! > {pid}; wait"]
    ended = run_within(command, 1.2, meanwhile=lambda: looks.append(1))
    assert (ended.status, ended.stdout, ended.failure) == (124, "so far\n", "sh had not ended after 1.2 s")
    assert looks
    started = int(pid.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 10
    while lives(started):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_command_leaves_behind_on_purpose_is_not_waited_for(tmp_path: Path) -> None:
    """It has the command's standard output open."""
    pid = tmp_path / "pid"
    ended = run_within(["sh", "-c", f"sleep 600 & echo $! > {pid}; echo done"], 60)
    left = int(pid.read_text(encoding="utf-8"))
    assert (ended.status, ended.stdout, lives(left)) == (0, "done\n", True)
    os.kill(left, 9)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/nowhere/app"], "/nowhere/app could not be started: No such file or directory"),
        ([], "no command was given"),
        (["/"], "/ could not be started: Permission denied"),
        (["nul\0byte"], "nul\0byte could not be started: embedded null byte"),
    ],
)
def test_one_that_cannot_be_started_fails_with_why(command: list[str], reason: str) -> None:
    assert run_within(command, 60) == (127, "", "", reason)


def test_home_and_variables_stand_for_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    ended = run_within(["printf", "%s %s", "~/bin", "$HOME/bin"], 60)
    assert ended.stdout == "/home/ada/bin /home/ada/bin"


def test_the_limit_of_the_window_is_shorter_than_a_lease() -> None:
    assert LONGEST_SECONDS < LEASE_MINUTES * 60
    assert [seconds_of_window(value) for value in (None, "", 5, "5", 600)] == [300, 300, 5, 5, 600]
    for value in (0, -1, 601, "soon", "1.5", True, [], {"a": 1}):
        with pytest.raises(Refused, match="maintenance_window_timeout_seconds is ") as caught:
            seconds_of_window(value)
        assert caught.value.code == "setting_invalid"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_while_the_command_is_started_ends_it_too(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the command's first moment and the one in which it is known here."""
    began = tmp_path / "began"
    command = ["sh", "-c", f"echo $$ > {began}.new; mv {began}.new {began}; sleep 60"]
    real = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = real(*arguments, **options)
        while not began.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)
        return process

    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(subprocess, "Popen", interrupted)
        signal.signal(number, lambda *_: os._exit(7))
        run_within(command, 50)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    deadline = time.monotonic() + 30
    while lives(int(began.read_text(encoding="utf-8"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_is_interrupted_leaves_nothing_at_work(tmp_path: Path, number: int) -> None:
    """As ansible-core's workers are: by a handler that ends the process at once."""
    began = tmp_path / "began"
    command = ["sh", "-c", f"echo $$ > {began}.new; mv {began}.new {began}; sleep 60"]
    pid = os.fork()
    if pid == 0:
        signal.signal(number, lambda *_: os._exit(7))
        run_within(command, 50)
        os._exit(0)
    while not began.exists():
        time.sleep(0.01)
    os.kill(pid, number)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    # The kernel ends it when it comes to it.
    deadline = time.monotonic() + 30
    while lives(int(began.read_text(encoding="utf-8"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
