# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random pairs of schemas: the catalogs are equal exactly when the dumps are.

``SCHEMA_PAIRS=300 pytest …`` tries as many pairs; the default is modest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import carried_by_dump
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import (
    describe,
    difference,
    undone,
)
from hypothesis import HealthCheck, given, note, settings

from demo.local_server import LocalServer
from tests.integration.catalog.schema_pairs import DATABASE, build, pair

PAIRS = int(os.environ.get("SCHEMA_PAIRS", "25"))


@pytest.fixture(scope="module")
def workplace(server: LocalServer) -> Iterator[Any]:
    """A database to build schemas in: its name and a connection."""
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
            with contextlib.closing(server.connect(DATABASE)) as inside:
                inside.autocommit = True
                yield inside
            cursor.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@settings(
    max_examples=PAIRS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@given(pair())
def test_catalogs_are_equal_exactly_when_dumps_are(server: LocalServer, workplace: Any, schemas: Any) -> None:
    statements_of_first, statements_of_second, candidates = schemas
    first, dump_of_first = build(server, workplace, statements_of_first, [])
    second, dump_of_second = build(server, workplace, statements_of_second, candidates)
    found = difference(carried_by_dump(first), carried_by_dump(second))
    for line in describe(found):
        note(line)
    note("\n".join(sorted(set(dump_of_first) ^ set(dump_of_second))))
    assert bool(found) == (dump_of_first != dump_of_second)
    assert undone(second, first, second) == (first, [])
