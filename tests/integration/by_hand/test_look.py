# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of an item beside what is there now; nothing is changed by looking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.items import find_item
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.look import MOST_ROWS, look_at_rows
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Cursor

from tests.integration.by_hand.kept import keep_item

KEYED = {"unique_key": True}


@pytest.fixture
def cursor(connection: Connection) -> Iterator[Cursor]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE star (id int PRIMARY KEY, mark text);INSERT INTO star VALUES (1, 'now'), (2, NULL)"
        )
        yield cursor


def test_kept_and_now_stand_side_by_side(cursor: Cursor) -> None:
    number = keep_item(
        cursor, "dropped table", [("(1)", "(1,mine)"), ("(2)", "(2,too)"), ("(3)", "(3,gone)")], facts=KEYED
    )
    cursor.execute(
        "UPDATE runbook_salvage.kept_row SET columns = '{mark}' WHERE key <> '(3)';"
        "UPDATE runbook_salvage.kept_row SET held_back = 'why' WHERE key = '(1)'"
    )
    found = look_at_rows(cursor, find_item(cursor, number)[0])
    assert [(row["key"], row["reason"], row["there"], row["kept"], row["now"]) for row in found] == [
        ("id (1)", "why", True, {"mark": "mine"}, {"mark": "now"}),
        ("id (2)", None, True, {"mark": "too"}, {"mark": None}),
        ("id (3)", None, False, {"id": "3", "mark": "gone"}, {}),
    ]


def test_many_rows_are_not_all_shown_and_long_values_are_cut(cursor: Cursor) -> None:
    rows = [(f"({key})", f"({key},{'x' * 200})") for key in range(10, 30)]
    found = look_at_rows(cursor, find_item(cursor, keep_item(cursor, "dropped table", rows, facts=KEYED))[0])
    assert len(found) == MOST_ROWS
    assert found[0]["kept"]["mark"] == "x" * 60


@pytest.mark.parametrize(
    ("kind", "table"), [("privileges", ("public", "star")), ("dropped table", ("public", "moon"))]
)
def test_what_has_no_table_has_no_rows_to_look_at(cursor: Cursor, kind: str, table: tuple[str, str]) -> None:
    assert (
        look_at_rows(cursor, find_item(cursor, keep_item(cursor, kind, [("1", "x")], table=table))[0]) == []
    )
