# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong inside a step; copied as ``sitecustomize.py``, which Python reads at its start.

PLANTED_FAULT names a folder: ``fault.json`` says in which step, at which of its statements, and what happens; in
``census`` each statement leaves a line, so that another run can choose among them; ``fired`` is there when it happened.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = os.environ.get("PLANTED_FAULT", "")

# How long a process that has sent a signal to another waits for what that does to itself.
SIGNAL_ARRIVES_SECONDS = 0.5

# Among the arguments of every module, wherever its process comes from.
NAME = re.compile(rb'"_ansible_module_name": "pgops\.runbook\.(\w+)"')


def step_of_this_process() -> str:
    """Name of the step whose module this process is, or nothing."""
    basic = sys.modules.get("ansible.module_utils.basic")
    found = NAME.search(getattr(basic, "_ANSIBLE_ARGS", None) or b"")
    return found[1].decode() if found else ""


class Fault:
    """The fault of this run.

    Attributes:
        step, at: when it happens: at which statement of which step, counted from 1 in each process of it.
        action: see ``act``.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        wanted = json.loads((self.folder / "fault.json").read_text(encoding="utf-8"))
        self.step, self.at, self.action = wanted["step"], wanted["at"], wanted["action"]
        self.count = 0

    def reached(self, connection: Any) -> None:
        """A statement is about to be sent, or COMMIT has just been answered."""
        step = step_of_this_process()
        if not step:
            return
        self.count += 1
        with (self.folder / "census").open("a", encoding="utf-8") as census:
            census.write(f"{step} {self.count}\n")
        if step == self.step and self.count == self.at and self._first():
            self.act(connection)

    def _first(self) -> bool:
        try:
            os.close(os.open(self.folder / "fired", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def act(self, connection: Any) -> None:
        """One of: module, connection, backend, terminate, server, delete, damage, or controller:<signal>."""
        what, _, name = self.action.partition(":")
        if what == "module":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "connection":
            os.kill(session_of_ssh(), signal.SIGKILL)
        elif what == "backend":
            os.kill(connection.info.backend_pid, signal.SIGKILL)
        elif what == "terminate":
            terminate(connection)
        elif what == "server":
            os.kill(int((self.folder / "server.pid").read_text()), signal.SIGQUIT)
        elif what in ("delete", "damage"):
            spoil(Path((self.folder / "backups").read_text(encoding="utf-8")), what)
            return
        elif what == "controller":
            os.kill(int((self.folder / "controller.pid").read_text()), getattr(signal, name))
        time.sleep(SIGNAL_ARRIVES_SECONDS)


def session_of_ssh() -> int:
    """The nearest process of sshd above this one: that of the connection by which it was started."""
    pid = os.getppid()
    while pid > 1:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")
        if "(sshd" in name:
            return pid
        pid = int(rest.split()[1])
    raise ProcessLookupError("no process of sshd is above this one")


def spoil(backups: Path, what: str) -> None:
    """The newest backup is deleted, or its largest file has one bit changed."""
    newest = max(
        (path for path in backups.iterdir() if (path / "manifest.json").exists()), key=lambda path: path.name
    )
    if what == "delete":
        shutil.rmtree(newest)
        return
    largest = max(
        (path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def terminate(connection: Any) -> None:
    """As an administrator does it, from another session."""
    import psycopg2

    parameters = {**connection.info.dsn_parameters, "dbname": "template1"}
    other = psycopg2.extensions.connection(psycopg2.extensions.make_dsn(**parameters))
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (connection.info.backend_pid,))
    other.close()


def install(fault: Fault) -> None:
    """Let each connection of this process tell of its statements."""
    import psycopg2
    import psycopg2.extensions

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, *arguments: Any, **keywords: Any) -> None:
            fault.reached(self.connection)
            super().execute(*arguments, **keywords)

        def copy_expert(self, *arguments: Any, **keywords: Any) -> None:
            fault.reached(self.connection)
            super().copy_expert(*arguments, **keywords)

    class Connection(psycopg2.extensions.connection):
        def cursor(self, *arguments: Any, **keywords: Any) -> Any:
            keywords.setdefault("cursor_factory", Cursor)
            return super().cursor(*arguments, **keywords)

        def commit(self) -> None:
            fault.reached(self)
            super().commit()
            fault.reached(self)

    real = psycopg2.connect

    def connect(*arguments: Any, **keywords: Any) -> Any:
        keywords.setdefault("connection_factory", Connection)
        return real(*arguments, **keywords)

    psycopg2.connect = connect


def jump(seconds: float) -> None:
    """Let this process have another clock than the server."""
    now, utc = time.time, time.gmtime
    time.time = lambda: now() + seconds
    time.gmtime = lambda at=None: utc(time.time() if at is None else at)


if FOLDER and (Path(FOLDER) / "fault.json").exists():
    install(Fault(FOLDER))
if os.environ.get("PLANTED_CLOCK"):
    jump(float(os.environ["PLANTED_CLOCK"]))
