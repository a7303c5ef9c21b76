# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where pgbackrest of a server keeps its backups: beside it, on another host over SSH, or in an object store."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from demo.server_account import ServerAccount
from tests.s3_server import S3Server
from tests.ssh_hosts import SshHosts

__all__ = [
    "EVERYWHERE",
    "STANZA",
    "LocalRepository",
    "Repository",
    "S3Repository",
    "SshRepository",
    "ssh_repository",
]

STANZA = "main"

#: No log files; a scratch cluster is small, so nothing is gained by compressing.
EVERYWHERE = "start-fast=y\ncompress-type=none\nlog-level-file=off\n"

#: How long a segment may take to be archived: short where an archive that does not work is to be found.
SOON, BESIDE_OTHER_WORK = "archive-timeout=5\n", "archive-timeout=300\n"


class Repository(Protocol):
    """What the server of the tests asks of it."""

    #: The option backup_command of the engine.
    command: Sequence[str]

    def settings(self, place: Path, account: ServerAccount) -> str:
        """Lines of section [global] on the database's host.

        Args:
            place: folder there which the server's user may enter.
            account: that user.
        """
        ...

    def prepare(self, server: str) -> None:
        """What its own host needs before the first command.

        Args:
            server: lines of the stanza that say where the server is.
        """
        ...

    def run_there(self, *words: str) -> str | None:
        """A command of pgbackrest that works on the repository's own host alone; None where that is the database's."""
        ...


class LocalRepository:
    """A folder beside the server."""

    command: Sequence[str] = ()

    def settings(self, place: Path, account: ServerAccount) -> str:
        (place / "repo").mkdir()
        account.own(place / "repo")
        return f"repo1-path={place}/repo\n{SOON}"

    def prepare(self, server: str) -> None:
        """Nothing."""

    def run_there(self, *words: str) -> str | None:
        return None


class S3Repository(LocalRepository):
    """A bucket of an object store. There each file would be a request: small ones are put together."""

    def __init__(self, store: S3Server) -> None:
        self.store = store

    def settings(self, place: Path, account: ServerAccount) -> str:
        authority = place / "authority.crt"
        shutil.copy(self.store.certificate, authority)
        authority.chmod(0o644)
        return (
            f"repo1-type=s3\nrepo1-path=/backups\nrepo1-bundle=y\nrepo1-s3-bucket={self.store.bucket}\n"
            f"repo1-s3-endpoint={self.store.host}\nrepo1-storage-port={self.store.port}\n"
            f"repo1-storage-ca-file={authority}\nrepo1-s3-uri-style=path\nrepo1-s3-region=us-east-1\n"
            f"repo1-s3-key=nobody\nrepo1-s3-key-secret=knows\n{BESIDE_OTHER_WORK}"
        )


class SshRepository:
    """A folder on another host, which reaches the database's as that reaches it.

    Args:
        hosts: with the names repository and database.
    """

    def __init__(self, hosts: SshHosts) -> None:
        self.hosts = hosts
        self.config = hosts.folder / "pgbackrest.conf"
        self.command: Sequence[str] = ()
        self._place = Path()

    def settings(self, place: Path, account: ServerAccount) -> str:
        self._place = place
        program = self._client(place, account)
        self.command = [str(program), "repository", "pgbackrest", f"--config={self.config}"]
        return (
            f"cmd-ssh={program}\nrepo1-host=repository\nrepo1-host-user={getpass.getuser()}\n"
            f"repo1-host-config={self.config}\n{BESIDE_OTHER_WORK}"
        )

    def prepare(self, server: str) -> None:
        mine = self.hosts.folder / "pgbackrest"
        for name in ("repo", "log", "lock"):
            (mine / name).mkdir(parents=True)
        program = self._client(mine, None)
        self.config.write_text(
            f"[global]\nrepo1-path={mine}/repo\nlog-path={mine}/log\nlock-path={mine}/lock\n"
            f"{EVERYWHERE}{BESIDE_OTHER_WORK}"
            f"cmd-ssh={program}\n[{STANZA}]\npg1-host=database\npg1-host-user={getpass.getuser()}\n"
            f"pg1-host-config={self._place}/pgbackrest.conf\n{server}"
        )

    def run_there(self, *words: str) -> str | None:
        done = subprocess.run(
            ["pgbackrest", f"--config={self.config}", f"--stanza={STANZA}", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _client(self, place: Path, account: ServerAccount | None) -> Path:
        """A program ssh that knows both hosts, and has the key of a user who is let in there."""
        folder = place / "ssh"
        folder.mkdir()
        hosts = "".join(
            f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
            for name, port in self.hosts.ports.items()
        )
        (folder / "config").write_text(
            f"{hosts}Host *\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  BatchMode yes\n"
            f"  UserKnownHostsFile {folder}/known_hosts\n  StrictHostKeyChecking yes\n"
        )
        for name in ("user", "known_hosts"):
            shutil.copy(self.hosts.folder / name, folder / name)
        program = folder / "ssh"
        program.write_text(f'#!/bin/sh\nexec ssh -F {folder}/config "$@"\n')
        program.chmod(0o700)
        if account is not None:
            for path in (folder, *folder.iterdir()):
                account.own(path)
        return program


@contextlib.contextmanager
def ssh_repository() -> Iterator[SshRepository]:
    """
    Raises:
        SshUnusable: no sshd can be run here.
    """
    hosts = SshHosts(["repository", "database"])
    try:
        yield SshRepository(hosts)
    finally:
        hosts.stop()
