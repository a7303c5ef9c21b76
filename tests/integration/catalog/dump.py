# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""pg_dump as the independent second opinion on whether two schemas are equal."""

from __future__ import annotations

import subprocess
from pathlib import Path

from demo.local_server import LocalServer

__all__ = ["restore_into", "schema_dump"]


def schema_dump(server: LocalServer, database: str, restrict_key: str | None = "x") -> str:
    """The schema as pg_dump writes it, without comments of pg_dump and without the runbook's schemas.

    Args:
        restrict_key: of psql's restricted mode; None leaves it to pg_dump, which makes up another one each time.
    """
    key = [f"--restrict-key={restrict_key}"] if restrict_key else []
    return _run(server, "pg_dump", "--schema-only", *key, "--exclude-schema=runbook*", "-d", database)


def restore_into(server: LocalServer, source: str, target: str, archive: Path) -> None:
    """Dump one database with its content and restore it into another that exists and is empty."""
    _run(server, "pg_dump", "-Fc", "-f", str(archive), "-d", source)
    _run(server, "pg_restore", "--exit-on-error", "-d", target, str(archive))


def _run(server: LocalServer, program: str, *arguments: str) -> str:
    where = ["-h", str(server.host), "-p", str(server.port), "-U", server.user]
    done = subprocess.run(
        [str(Path(server.bindir) / program), *where, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
