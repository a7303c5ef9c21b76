# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The embedded server's process: is it running, start it, stop it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from demo.server_account import LocalServerError

STOP_SECONDS = 60


class ServerProcess:
    """The server process on one data folder.

    pg_ctl is not used: it starts the server through a shell that stumbles over a ``$`` or quote in a path,
    and trusts postmaster.pid about a process id that may belong to somebody else by now.

    Args:
        data: the data folder, without symbolic links.
        log: the file that the server writes its messages to.
    """

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    def running(self) -> tuple[int, int] | None:
        """Return process id and port of the running server, None when there is none."""
        lines = self._postmaster_file()
        if len(lines) < 4 or not lines[0].isdigit() or not self._is_ours(int(lines[0])):
            return None
        return int(lines[0]), int(lines[3])

    def start(self, program: Path, popen_arguments: dict, deadline: float) -> str | None:
        """Start the server and wait until it accepts connections.

        Args:
            program: the postgres executable.
            popen_arguments: user, environment and working folder of the process.
            deadline: time.monotonic() at which waiting ends.
        Returns:
            None when it is ready, otherwise what it logged before it gave up.
        """
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            before = log.tell()
            self._child = subprocess.Popen(
                [program, "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is not meant for the server
                **popen_arguments,
            )
        while self._child.poll() is None:
            lines = self._postmaster_file()
            if len(lines) > 7 and lines[7].strip() == "ready":
                return None
            if time.monotonic() > deadline:
                self._child.send_signal(signal.SIGQUIT)
                self._child.wait(STOP_SECONDS)
            time.sleep(0.05)
        with self.log.open("rb") as log:
            log.seek(before)
            return log.read().decode(errors="replace")

    def stop(self, *, immediate: bool) -> bool:
        """Stop the server and wait until it is gone; False when there was none.

        Raises:
            LocalServerError: it did not stop in time.
        """
        found = self.running()
        if found is None:
            return False
        pid = found[0]
        # "Shutting Down the Server" in the manual: SIGINT is the fast, SIGQUIT the immediate shutdown.
        os.kill(pid, signal.SIGQUIT if immediate else signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_ours(pid):
            if time.monotonic() > deadline:
                raise LocalServerError(f"process {pid} did not stop within {STOP_SECONDS} s; see {self.log}")
            time.sleep(0.02)
        if self._child is not None:
            self._child.wait(STOP_SECONDS)  # collects it from the process table
            self._child = None
        return True

    def _postmaster_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _is_ours(self, pid: int) -> bool:
        """Tell whether this process is a server on our data folder: a server's working folder is its data."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.data
        except OSError:  # gone, a zombie, or another user's
            return False


def free_port() -> int:
    """Return a TCP port that is free on 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_is_free(port: int) -> bool:
    """Tell whether PostgreSQL could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True
