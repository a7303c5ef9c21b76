# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Theirs and base: in what rows differ from what a migration makes of them again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.identity import identity_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.base import Difference
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.image import TableImage
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.notes import facts, settle
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import ROWS, SalvageStore
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.rows import (
    enter_changed,
    enter_rows,
    try_again,
)

Rows = list[tuple[Any, ...]]


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE public.star (id int PRIMARY KEY, mark text, stars int);"
            "INSERT INTO public.star VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', NULL)"
        )
        pin_session(cursor, local=True)
        yield cursor


def image(cursor: Any, name: str = "star") -> TableImage:
    table = table_facts(cursor, ("public", name))
    assert table is not None
    identity = identity_of(cursor, table.oid, table.columns, ())
    return TableImage(cursor, name, table.name, table.partitioned, table.columns, identity)


def difference(cursor: Any, was: TableImage, only_grew: bool = False) -> Difference:
    table = table_facts(cursor, was.name)
    assert table is not None
    return Difference(cursor, was, table, only_grew)


def entered(cursor: Any, found: Difference) -> Rows:
    store = SalvageStore(cursor)
    store.create()
    item = store.begin_item("r", "002", ROWS, found.image.name, found.image.columns, ["id"])
    with tempfile.TemporaryFile() as file:
        found.copy_out(item, file)
        file.seek(0)
        enter_rows(cursor, file)
    cursor.execute("SELECT kept, base, columns FROM runbook_salvage.kept_row ORDER BY number")
    rows: Rows = cursor.fetchall()
    return rows


def test_rows_are_changed_made_and_deleted(cursor: Any) -> None:
    was = image(cursor)
    cursor.execute(
        "UPDATE public.star SET stars = 9 WHERE id = 1; DELETE FROM public.star WHERE id = 2;"
        "INSERT INTO public.star VALUES (4, NULL, 4)"
    )
    assert was.count_gone() == 2
    assert sorted(entered(cursor, difference(cursor, was)), key=str) == [
        ("(1,a,1)", "(1,a,9)", ["stars"]),
        ("(2,b,2)", None, None),
        (None, "(4,,4)", None),
    ]


def test_of_what_was_overwritten_only_what_was_there_is_kept(cursor: Any) -> None:
    was = image(cursor)
    cursor.execute(
        "UPDATE public.star SET mark = 'z' WHERE id = 3; INSERT INTO public.star VALUES (4, NULL, 4)"
    )
    store = SalvageStore(cursor)
    store.create()
    item = store.begin_item("r", "002", ROWS, was.name, was.columns, ["id"])
    enter_changed(cursor, item, difference(cursor, was).work)
    store.hold_back(item, "by hand")
    try_again(cursor, [item])
    cursor.execute("SELECT kept, base, columns, held_back FROM runbook_salvage.kept_row")
    assert cursor.fetchall() == [("(3,c,)", "(3,z,)", ["mark"], None)]


@pytest.mark.parametrize(("only_grew", "expected"), [(True, []), (False, [(None, "(4,,)", None)])])
def test_a_record_that_only_grows_is_not_shortened(cursor: Any, only_grew: bool, expected: Rows) -> None:
    """What the rollback has written into a log is not there for a user to delete."""
    was = image(cursor)
    cursor.execute("INSERT INTO public.star (id) VALUES (4)")
    found = difference(cursor, was, only_grew)
    settle({was.name: found})
    assert entered(cursor, found) == expected


def test_a_column_that_follows_the_time_is_said_to(cursor: Any) -> None:
    cursor.execute("ALTER TABLE public.star ADD at timestamptz DEFAULT '2020-01-01'")
    was = image(cursor)
    cursor.execute("UPDATE public.star SET at = now(), stars = 7")
    assert facts(difference(cursor, was))["volatile"] == ["at"]
