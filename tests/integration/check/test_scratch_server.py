# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server for the length of a check: private, empty, and gone afterwards however the check ends."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.scratch_server import scratch_server

from demo.local_server import LocalServer

PROJECT = Path(__file__).resolve().parents[3]


def runs(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def pid_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def test_it_is_private_and_empty_and_gone_afterwards(server: LocalServer) -> None:
    with scratch_server(server.bindir) as target:
        folder = Path(target["login_host"])
        pid = pid_of(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with contextlib.closing(connect(target)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('listen_addresses'), count(*) FROM pg_stat_user_tables")
            assert cursor.fetchone() == ("", 0)
            cursor.execute("SHOW server_encoding")
            assert cursor.fetchone() == ("UTF8",)
        assert runs(pid)
    assert not folder.exists()
    assert not runs(pid)


def test_it_is_gone_too_where_something_fails_meanwhile(server: LocalServer) -> None:
    with contextlib.suppress(ZeroDivisionError), scratch_server(server.bindir) as target:
        folder = Path(target["login_host"])
        pid = pid_of(folder)
        raise ZeroDivisionError
    assert not folder.exists()
    assert not runs(pid)


def test_of_a_check_that_is_killed_the_server_ends(server: LocalServer) -> None:
    code = (
        "import sys, time\n"
        "from ansible_collections.pgops.runbook.plugins.plugin_utils.check.scratch_server import scratch_server\n"
        "with scratch_server(sys.argv[1]) as target:\n"
        "    print(target['login_host'], flush=True)\n"
        "    time.sleep(600)\n"
    )
    check = subprocess.Popen(
        [sys.executable, "-c", code, server.bindir],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "collections")},
        stdout=subprocess.PIPE,
        text=True,
    )
    with check:
        assert check.stdout is not None
        folder = Path(check.stdout.readline().strip())
        pid = pid_of(folder)
        check.send_signal(signal.SIGKILL)
    try:
        deadline = time.monotonic() + 60
        while runs(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not runs(pid)
    finally:
        # Where it does not end by itself it must not outlive the test either; its folder is left by what was killed.
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder):
                os.kill(pid, signal.SIGQUIT)
                while runs(pid):
                    time.sleep(0.05)
        subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that the user may enter as whom root's server runs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def left_behind() -> set[str]:
    """Folders of servers that are not of another test's process: none of these has a cluster that was made."""
    return {str(path) for path in Path("/tmp").glob("pgops-check-*") if not (path / "data").exists()}


def test_without_programs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for bindir, where in (("", "on PATH"), (str(tmp_path), f"in {tmp_path} \\(pg_bindir\\)")):
        with pytest.raises(Refused, match=f"initdb was not found {where}") as refused, scratch_server(bindir):
            pass
        assert refused.value.code == "scratch_server_unusable"


@pytest.mark.parametrize(
    ("initdb", "postgres", "why"),
    [
        ("exit 1", "echo '(PostgreSQL) 18.1'", "initdb failed: "),
        (
            "echo made",
            "test $1 = -D && echo no memory && exit 1; echo '(PostgreSQL) 18.1'",
            "did not start: no memory",
        ),
        ("echo made", "exit 3", "postgres failed: "),
        ("echo made", "echo what", "does not tell its version"),
    ],
)
def test_programs_that_fail(readable: Path, initdb: str, postgres: str, why: str) -> None:
    for name, text in (("initdb", initdb), ("postgres", postgres)):
        (readable / name).write_text(f"#!/bin/sh\n{text}\n")
        (readable / name).chmod(0o755)
    before = left_behind()
    with pytest.raises(Refused, match=why), scratch_server(str(readable)):
        pass
    assert left_behind() <= before
