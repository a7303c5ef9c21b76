# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server of one's own that crashes, and recovers for as long as a test wants it to."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import psycopg2

from demo.local_server import LocalServer

__all__ = ["Crash"]


class Crash:
    """One process of the server is killed with SIGKILL, so that all of it recovers.

    Args:
        server: not one that other tests use.
        seconds: how long it recovers.

    Attributes:
        held: whether the recovery was seen, and held up.
    """

    def __init__(self, server: LocalServer, seconds: float) -> None:
        self.server = server
        self.seconds = seconds
        self.held = False
        self._postmaster = server.pid()

    def of(self, pid: int) -> None:
        """Kill this process of the server; returns when it recovers, which then goes on by itself."""
        with contextlib.closing(self.server.connect()) as connection, connection.cursor() as cursor:
            # So that there is enough to do for the recovery to be seen: others may have made a checkpoint.
            cursor.execute("DROP TABLE IF EXISTS wal")
            cursor.execute("CREATE TABLE wal AS SELECT i, md5(i::text) FROM generate_series(1, 400000) AS i")
            connection.commit()
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while not self.held and time.monotonic() < deadline:
            startup = self._startup()
            if startup is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(startup, signal.SIGSTOP)
                    self.held = True
                    threading.Timer(self.seconds, os.kill, (startup, signal.SIGCONT)).start()
        assert self.held, "the server was sooner"

    def _startup(self) -> int | None:
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError, ValueError):
                    parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                    if parent == self._postmaster and b"startup" in (process / "cmdline").read_bytes():
                        return int(process.name)
        return None

    def of_who_sleeps(self, database: str) -> None:
        """Kill the session of a database whose statement is in pg_sleep, as soon as there is one."""
        deadline = time.monotonic() + 120
        with contextlib.closing(
            psycopg2.connect(
                host=self.server.host, port=self.server.port, user=self.server.user, dbname="postgres"
            )
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while time.monotonic() < deadline:
                    cursor.execute(
                        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s",
                        (database,),
                    )
                    found = cursor.fetchone()
                    if found:
                        break
                    time.sleep(0.05)
        assert found, "nobody slept"
        self.of(found[0])
