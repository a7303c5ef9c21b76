# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases for tests, each with a name of its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

from psycopg2 import sql

from demo.local_server import LocalServer

__all__ = ["fresh_database"]

_numbers = itertools.count(1)


@contextlib.contextmanager
def fresh_database(server: LocalServer) -> Iterator[str]:
    """An empty database; it is dropped at the end, even if connections to it were left open."""
    name = f"test_{next(_numbers)}"
    _outside_transaction(
        server, sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(name))
    )
    yield name
    _outside_transaction(
        server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _outside_transaction(server: LocalServer, statement: sql.Composed) -> None:
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
