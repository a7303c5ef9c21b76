# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database with the whole library and its sample rows, for the measurements that need a real one."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection
from psycopg2 import sql

from demo.local_server import LocalServer

PROJECT = Path(__file__).resolve().parent.parent

__all__ = ["library_database", "target_of"]


def target_of(server: LocalServer, database: str) -> dict[str, Any]:
    """Connection options of a database, as the runbook's modules take them."""
    return {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.user,
        "login_password": "",
        "login_db": database,
        "ssl_mode": "prefer",
    }


@contextlib.contextmanager
def library_database(
    server: LocalServer, name: str, files: int, stems: Collection[str] = ()
) -> Iterator[str]:
    """Create it with its migrations and ``files`` files; dropped at the end.

    Args:
        server: LocalServer.
        stems: only these migrations; all of them where none is named.

    Raises:
        psycopg2.Error: a script failed.
    """
    identifier = sql.Identifier(name)
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
            try:
                with contextlib.closing(server.connect(name)) as connection:
                    connection.autocommit = True
                    _load(connection, files, stems)
                yield name
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _load(connection: Connection, files: int, stems: Collection[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('sample.files', %s, false)", (str(files),))
        for script in sorted((PROJECT / "sql" / "migrations").glob("*.sql")):
            if stems and script.stem not in stems:
                continue
            cursor.execute(script.read_text(encoding="utf-8"))
            sample = PROJECT / "sql" / "sample" / script.name
            if sample.exists():
                cursor.execute(sample.read_text(encoding="utf-8"))
        cursor.execute("ANALYZE")
