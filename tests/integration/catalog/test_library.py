# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library's own migrations: every rollback, in any order, leaves the catalog that undone() foretells."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import read_catalog
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import (
    describe,
    difference,
    undone,
)

from demo.local_server import LocalServer

SQL = Path(__file__).resolve().parents[3] / "sql"
STEMS = sorted(path.stem for path in (SQL / "migrations").glob("[0-9]*.sql"))


@pytest.fixture(scope="module")
def catalogs(server: LocalServer) -> Iterator[Any]:
    """The catalogs before the first migration and after each, as a template database gets them all."""
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as create:
            create.execute("CREATE DATABASE library_template")
            with contextlib.closing(server.connect("library_template")) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    found = [_catalog(cursor)]
                    for stem in STEMS:
                        cursor.execute((SQL / "migrations" / f"{stem}.sql").read_text(encoding="utf-8"))
                        found.append(_catalog(cursor))
            yield found
            create.execute("DROP DATABASE library_template WITH (FORCE)")


@pytest.fixture
def library(server: LocalServer, catalogs: Any) -> Iterator[Any]:
    """A cursor of a library of its own with all migrations, and the catalogs."""
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as create:
            create.execute("CREATE DATABASE library_copy TEMPLATE library_template")
            with contextlib.closing(server.connect("library_copy")) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    yield cursor, catalogs
            create.execute("DROP DATABASE library_copy WITH (FORCE)")


def _catalog(cursor: Any) -> Any:
    cursor.execute("BEGIN")
    catalog = read_catalog(cursor)
    cursor.execute("COMMIT")
    return catalog


def _roll_back(cursor: Any, stem: Any) -> None:
    cursor.execute((SQL / "rollback" / f"{stem}_rollback.sql").read_text(encoding="utf-8"))


def test_newest_first_every_rollback_restores_the_catalog_before(library: Any) -> None:
    cursor, catalogs = library
    for number, stem in reversed(list(enumerate(STEMS))):
        _roll_back(cursor, stem)
        assert describe(difference(catalogs[number], _catalog(cursor))) == [], stem


@pytest.mark.parametrize("stem", STEMS[1:])
def test_out_of_order_a_rollback_leaves_what_undone_foretells(library: Any, stem: Any) -> None:
    cursor, catalogs = library
    number = STEMS.index(stem)
    expected, conflicts = undone(catalogs[-1], catalogs[number], catalogs[number + 1])
    assert conflicts == []
    _roll_back(cursor, stem)
    assert describe(difference(expected, _catalog(cursor))) == []
