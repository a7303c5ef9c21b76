# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary of one's own, and real standbys that stream from it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from demo.local_server import LocalServer
from demo.server_account import ServerAccount
from demo.server_process import ServerProcess, free_port
from tests.meanwhile import over_and_over

__all__ = ["Standby", "changed_settings", "execute", "no_commit_waits", "until"]

STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
# One that is there answers sooner.
WAITING = """
    SELECT query, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND state_change < clock_timestamp() - interval '5 s'"""


def until(holds: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for something that comes by itself; a test that waits in vain fails with its name."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


def execute(server: LocalServer, *statements: str, database: str = "postgres") -> None:
    """As the superuser, each statement by itself; COMMIT waits for no standby."""
    with contextlib.closing(server.connect(database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = local")
            for statement in statements:
                cursor.execute(statement)


@contextlib.contextmanager
def changed_settings(server: LocalServer, **values: str) -> Iterator[None]:
    """Inside, the server has these settings, which a reload changes."""
    try:
        for name, value in values.items():
            execute(server, f"ALTER SYSTEM SET {name} = '{value}'", "SELECT pg_reload_conf()")
            _reloaded(server, name, value)
        yield
    finally:
        for name in values:
            execute(server, f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
            _reloaded(server, name, None)


def _reloaded(server: LocalServer, name: str, value: str | None) -> None:
    """A new session has the value (None: of the server's start)."""

    def has_it() -> bool:
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT sourcefile LIKE '%%auto.conf' FROM pg_settings WHERE name = %s", (name,))
            return bool(cursor.fetchone()[0]) == (value is not None)

    until(has_it, f"{name} = {value}")


@contextlib.contextmanager
def no_commit_waits(server: LocalServer) -> Iterator[None]:
    """Inside, whoever waits for a standby that does not come is seen; what would hang ends, and fails."""
    waited: list[str] = []

    def watch(cursor: Any) -> None:
        cursor.execute(WAITING)
        waited.extend(query for query, _ in cursor.fetchall())

    with over_and_over(server, "postgres", 0.2, watch):
        yield
    assert waited == []


class Standby:
    """A hot standby of a server, made by pg_basebackup; a context manager in which it streams.

    Args:
        primary: the server, which runs.
        name: its application_name, and with slot the name of its slot.
        slot: whether it has a replication slot.
    """

    def __init__(self, primary: LocalServer, name: str, slot: bool = False) -> None:
        self.primary = primary
        self.name = name
        self.slot = slot
        self.port = free_port()
        self._place = Path(primary.host).parent
        self._account = ServerAccount()
        self._data = self._place / f"standby_{name}"
        self._process = ServerProcess(self._data, self._place / f"standby_{name}.log")

    def __enter__(self) -> Standby:
        options = ["-C", "-S", self.name] if self.slot else []
        self._data.mkdir(mode=0o700)
        self._account.own(self._data)
        made = self._account.run(
            self._place,
            Path(self.primary.bindir, "pg_basebackup"),
            f"--host={self.primary.host}",
            f"--port={self.primary.port}",
            f"--username={self.primary.user}",
            f"--pgdata={self._data}",
            "--checkpoint=fast",
            "--no-sync",
            "--write-recovery-conf",
            *options,
        )
        assert made.returncode == 0, made.stdout
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\ncluster_name = '{self.name}'\nshared_buffers = '16MB'\n"
                "synchronous_standby_names = ''\nwal_receiver_status_interval = '100ms'\n"
            )
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self._data)
        if self.slot:
            execute(self.primary, f"SELECT pg_drop_replication_slot('{self.name}')")

    def start(self) -> None:
        """Start it, and wait until it streams."""
        said = self._process.start(
            Path(self.primary.bindir, "postgres"),
            self._account.popen_arguments(self._place),
            time.monotonic() + 60,
        )
        assert said is None, said
        until(self.streams, f"{self.name} streams")

    def stop(self) -> None:
        """Stop it, and wait until the primary knows."""
        self._process.stop(immediate=True)
        until(lambda: not self.streams(), f"{self.name} is gone")

    def promote(self) -> None:
        """Be a server of its own, with the system identifier that it has from its primary."""
        self._ask("SELECT pg_promote()")

    def take_over(self) -> None:
        """Be promoted, and have the place of the primary, which is dead: its address and its folder."""
        self._ask("SELECT pg_promote()")
        self._process.stop(immediate=False)
        shutil.rmtree(self.primary.data)
        # With owners and modes as they are; shutil keeps no owner.
        subprocess.run(["cp", "-a", str(self._data), str(self.primary.data)], check=True)
        (self.primary.data / "postgresql.auto.conf").write_text("", encoding="utf-8")
        self.primary.start()

    def streams(self) -> bool:
        with contextlib.closing(self.primary.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(STREAMING, (self.name,))
            return bool(cursor.fetchone()[0])

    def connect(self, database: str = "postgres") -> Connection:
        return psycopg2.connect(
            host=self.primary.host, port=self.port, user=self.primary.user, dbname=database
        )

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, it receives and does not replay."""
        self._ask("SELECT pg_wal_replay_pause()")
        until(lambda: self._ask("SELECT pg_get_wal_replay_pause_state()") == "paused", f"{self.name} pauses")
        try:
            yield
        finally:
            self._ask("SELECT pg_wal_replay_resume()")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, what receives has stopped, as on a machine that hangs; the primary takes it for connected."""
        pid = int(str(self._ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walreceiver'")))
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _ask(self, query: str) -> object:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
