# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two databases between which rows are brought, and a look at one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.integration.rows.sides import SCHEMA, Sides


@pytest.fixture
def sides(server: LocalServer, database: str, connection: Any) -> Iterator[Sides]:
    other = f"{database}_restored"
    with contextlib.closing(server.connect("postgres")) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {other}")
            try:
                with contextlib.closing(server.connect(other)) as new:
                    made = Sides(connection, new)
                    made.write(SCHEMA)
                    made.write(SCHEMA, live=False)
                    yield made
            finally:
                cursor.execute(f"DROP DATABASE {other} WITH (FORCE)")


@pytest.fixture
def ask(cursor: Any) -> Callable[[str], list[tuple[Any, ...]]]:
    def ask(query: str) -> list[tuple[Any, ...]]:
        cursor.execute(query)
        return cursor.fetchall()

    return ask
