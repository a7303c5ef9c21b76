# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The embedded server: starts, survives being killed, lets nobody else in, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from demo.local_server import PROJECT, LocalServer, LocalServerError
from demo.server_account import runs_programs_and_has_room


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server to be stopped and killed; every test leaves it running."""
    server = LocalServer(tmp_path_factory.mktemp("own") / "state", fsync=False)
    server.start()
    yield server
    server.remove()


def test_second_start_changes_nothing(own_server: LocalServer) -> None:
    pid, port = own_server.pid(), own_server.port
    assert LocalServer(own_server.state_dir, fsync=False).start() is False
    assert (own_server.pid(), own_server.port) == (pid, port)


def test_data_survives_a_killed_server(own_server: LocalServer) -> None:
    with contextlib.closing(own_server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 1 AS a")
    os.kill(own_server.pid(), signal.SIGKILL)
    while own_server.pid():
        time.sleep(0.01)
    assert LocalServer(own_server.state_dir, fsync=False).start() is True
    with contextlib.closing(own_server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT a FROM kept")
        assert cursor.fetchone() == (1,)


def test_postmaster_file_that_names_another_process_is_not_believed(own_server: LocalServer) -> None:
    own_server.stop()
    stale = own_server.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{own_server.data}\n0\n{own_server.port}\n")
    assert own_server.stop() is False  # and this process is still alive
    assert own_server.start() is True


def test_lost_state_file_is_written_anew_for_the_running_server(own_server: LocalServer) -> None:
    (own_server.state_dir / "server.json").unlink()
    again = LocalServer(own_server.state_dir, fsync=False)
    assert again.start() is False
    state = json.loads((own_server.state_dir / "server.json").read_text())
    assert (state["port"], state["pid"]) == (own_server.port, own_server.pid())
    _connect_over_tcp(own_server, state["password"]).close()


def test_tcp_asks_for_the_password(own_server: LocalServer) -> None:
    _connect_over_tcp(own_server, LocalServer(own_server.state_dir).password).close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        _connect_over_tcp(own_server, "wrong")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_of_the_machine_is_not_admitted(own_server: LocalServer) -> None:
    stranger = next(name for name in ("nobody", "daemon") if name != own_server.os_user)
    command = [
        f"{own_server.bindir}/psql",
        "-h",
        own_server.host,
        "-p",
        str(own_server.port),
        "-U",
        "midi",
        "-c",
        "",
    ]
    refused = subprocess.run(
        [*command, "postgres"],
        user=pwd.getpwnam(stranger).pw_uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert "Peer authentication failed" in refused.stderr


def test_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = LocalServer(tmp_path / "state", fsync=False)
        with pytest.raises(LocalServerError, match=f"port {port} on 127.0.0.1 is taken"):
            server.start(port)
        server.remove()


def test_long_path_gets_a_socket_folder_that_fits(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / ("long" * 40))
    try:
        server.start()
        server.connect().close()
    finally:
        server.remove()
    assert not Path(server.host).exists()


@pytest.mark.parametrize("options", [[], ["--no-fsync"]])
def test_remove_leaves_nothing(tmp_path: Path, options: list[Any]) -> None:
    state = tmp_path / "state"
    command = [sys.executable, str(PROJECT / "demo" / "local_server.py")]
    places = []
    # Only the start is told that the server is to be thrown away; the others find it in memory all the same.
    for action, status in (("start", 0), ("status", 0), ("remove", 0), ("status", 3)):
        arguments = [action, "--state", str(state), *(options if action == "start" else [])]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        places.append(LocalServer(state).data.parent)
    assert places[0] == places[1]
    assert not places[0].exists()
    assert not state.exists()


def test_memory_is_used_only_where_programs_run_and_there_is_room(tmp_path: Path) -> None:
    assert runs_programs_and_has_room(tmp_path, needed_bytes=1)
    assert not runs_programs_and_has_room(tmp_path, needed_bytes=2**60)
    assert not runs_programs_and_has_room(tmp_path / "missing", needed_bytes=1)
    assert not runs_programs_and_has_room(Path("/proc"), needed_bytes=1)


def _connect_over_tcp(server: LocalServer, password: str) -> Any:
    return psycopg2.connect(
        host="127.0.0.1", port=server.port, user=server.user, password=password, dbname="postgres"
    )
