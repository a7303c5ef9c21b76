# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client programs of PostgreSQL, as a person types them, and how long each takes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.local_server import LocalServer
from tests.integration.stories.application import own_environment

__all__ = ["JOBS", "Programs", "seconds_of"]

JOBS = 2  # as many as steps have by default
LINES_SHOWN = 15


class Programs:
    """psql, pg_dump and pg_restore against one server; each returns its seconds from start to end.

    Each raises RuntimeError where its program fails, with the end of what it said.
    """

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    def script(self, database: str, path: Path, *, one_transaction: bool = True) -> float:
        """A script by psql, which stops at its first error."""
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *(["-1"] if one_transaction else [])]
        return seconds_of(self._command("psql", database, *options, f"--file={path}"))

    def dump(self, database: str, folder: Path) -> float:
        """The whole database into a new folder."""
        options = ["--format=directory", f"--jobs={JOBS}", f"--file={folder}"]
        return seconds_of(self._command("pg_dump", database, *options))

    def dump_as_script(self, database: str, path: Path) -> float:
        """The whole database as a script."""
        return seconds_of(self._command("pg_dump", database, f"--file={path}"))

    def restore(self, database: str, folder: Path) -> float:
        """A folder of dump() into an empty database."""
        options = ["--exit-on-error", f"--jobs={JOBS}"]
        return seconds_of([*self._command("pg_restore", database, *options), str(folder)])

    def _command(self, program: str, database: str, *options: str) -> list[str]:
        server = self._server
        where = [f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"]
        return [str(Path(server.bindir, program)), *where, f"--dbname={database}", *options]


def seconds_of(
    command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> float:
    """Run a command to its end.

    Args:
        folder: in which it runs.
        environment: what its environment has besides the caller's.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**own_environment(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-LINES_SHOWN:])
        raise RuntimeError(f"{Path(command[0]).name} ended with status {done.returncode}:\n{end}")
    return seconds
