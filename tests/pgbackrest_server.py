# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server of PostgreSQL 15 that archives its WAL with the pgbackrest of Debian, where both are installed."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.local_server import LocalServer
from demo.server_account import ServerAccount
from tests.pgbackrest_repositories import EVERYWHERE, STANZA, LocalRepository, Repository
from tests.releases import programs_by_release
from tests.streaming import execute, until

__all__ = ["STANZA", "ArchivingServer", "archiving_server", "whats_missing"]

#: Newer ones are not known to Debian's pgbackrest 2.45.
RELEASE = 15


def whats_missing() -> str | None:
    """Why there can be none here, for the reason of a skip."""
    if RELEASE not in programs_by_release():
        return f"PostgreSQL {RELEASE} is not installed"
    return None if shutil.which("pgbackrest") else "pgbackrest is not installed"


class ArchivingServer:
    """The server, its stanza, and what a run needs to back it up.

    Attributes:
        server: the server itself.
        repository: where the backups are.
        place: folder that the server's user may enter.
        config: pgbackrest's configuration file.
        scratch: folder for scratch clusters.
        fast: folder of the tablespace ``fast``.
    """

    def __init__(self, server: LocalServer, repository: Repository) -> None:
        self.server = server
        self.repository = repository
        self.place = Path(server.host).parent
        self.config = self.place / "pgbackrest.conf"
        self.scratch = self.place / "s"
        self.fast = self.place / "fast"
        self._account = ServerAccount()

    def engine(self, **other: Any) -> dict[str, Any]:
        """The option of the steps."""
        return {
            "name": "pgbackrest",
            "stanza": STANZA,
            "config": str(self.config),
            "backup_command": list(self.repository.command),
            "type": "incr",
            "scratch_dir": str(self.scratch),
            **other,
        }

    def prepare(self) -> None:
        """Switch the archiving on, and make the stanza."""
        for name in ("log", "lock", "fast"):
            (self.place / name).mkdir()
            self._account.own(self.place / name)
        server = (
            f"pg1-path={self.server.data}\npg1-port={self.server.port}\n"
            f"pg1-socket-path={self.server.host}\npg1-user={self.server.user}\n"
        )
        # What belongs to a restore of production must not reach the scratch cluster.
        self.config.write_text(
            f"[global]\n{self.repository.settings(self.place, self._account)}"
            f"log-path={self.place}/log\nlock-path={self.place}/lock\n{EVERYWHERE}"
            "[global:restore]\nlink-all=y\nrecovery-option=recovery_target_action=shutdown\n"
            f"[{STANZA}]\n{server}"
        )
        self.config.chmod(0o644)
        execute(
            self.server,
            "ALTER SYSTEM SET archive_mode = on",
            f"ALTER SYSTEM SET archive_command = '{self._push()}'",
            "ALTER SYSTEM SET max_prepared_transactions = 5",
        )
        self.server.stop()
        self.server.start()
        execute(self.server, f"CREATE TABLESPACE fast LOCATION '{self.fast}'")
        self.repository.prepare(server)
        self.run_there("stanza-create")

    def _push(self) -> str:
        return f"pgbackrest --config={self.config} --stanza={STANZA} archive-push %p"

    @contextlib.contextmanager
    def archiving_by(self, command: str) -> Iterator[None]:
        """Inside, the server archives by another command."""
        try:
            self._archive_by(command)
            yield
        finally:
            self._archive_by(self._push())

    def _archive_by(self, command: str) -> None:
        execute(self.server, f"ALTER SYSTEM SET archive_command = '{command}'", "SELECT pg_reload_conf()")

        def is_so() -> bool:
            with contextlib.closing(self.server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SHOW archive_command")
                return cursor.fetchone() == (command,)

        until(is_so, f"archive_command = {command}")

    def run(self, *words: str) -> str:
        """pgbackrest, as the server's user; what it says."""
        done = self._account.run(
            self.place, "/usr/bin/pgbackrest", f"--config={self.config}", f"--stanza={STANZA}", *words
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run_there(self, *words: str) -> str:
        """pgbackrest on the repository's host, wherever that is; what it says."""
        said = self.repository.run_there(*words)
        return self.run(*words) if said is None else said

    def scratches(self) -> list[str]:
        """Scratch clusters that are there."""
        return sorted(path.name for path in self.scratch.iterdir()) if self.scratch.exists() else []


@contextlib.contextmanager
def archiving_server(folder: Path, repository: Repository | None = None) -> Iterator[ArchivingServer]:
    """A running one with its state in ``folder``; removed at the end, on Ctrl-C and SIGTERM too.

    Args:
        repository: by default a folder beside it.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    programs = programs_by_release()[RELEASE]
    account = ServerAccount()
    roles = ("midi", account.name, account.caller, "deployer")
    server = LocalServer(folder, fsync=False, programs=programs, roles=tuple(dict.fromkeys(roles)))
    try:
        server.start()
        made = ArchivingServer(server, repository or LocalRepository())
        made.prepare()
        yield made
        assert made.scratches() == []
    finally:
        server.remove()
        signal.signal(signal.SIGTERM, before)
