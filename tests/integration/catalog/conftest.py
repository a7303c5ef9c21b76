# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database with one of every kind of schema object, and copies of it to change."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import read_catalog

from demo.local_server import LocalServer
from tests.integration.catalog.dump import schema_dump

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def rich(server: LocalServer) -> Iterator[Any]:
    """A template database with the rich schema: its catalog and its dump."""
    schema = (Path(__file__).parent / "rich_schema.sql").read_text(encoding="utf-8")
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE other")
            cursor.execute("CREATE DATABASE rich")
            with contextlib.closing(server.connect("rich")) as inside, inside.cursor() as own:
                own.execute(schema)
                inside.commit()
                catalog = read_catalog(own)
            yield catalog, schema_dump(server, "rich")
            cursor.execute("DROP DATABASE rich WITH (FORCE)")
            cursor.execute("DROP ROLE other")


@pytest.fixture
def copy_of_rich(server: LocalServer, rich: Any) -> Iterator[Any]:
    """A database of its own with the rich schema: its name."""
    name = f"rich_{next(_numbers)}"
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE rich")
            yield name
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
