# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration makes its rows of is noted by the rollback, and a change of it is told before the next deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.sources import (
    note_sources,
    sources_changed,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.brought import (
    note_rows,
    note_source,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import TABLE, SalvageStore
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.rows import keep_line
from psycopg2 import sql

STAR = ("public", "star")


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        SalvageStore(cursor).create()
        cursor.execute(
            "CREATE TABLE book (title text, pages int); INSERT INTO book VALUES ('a', 1), ('a', 1), ('b', 2)"
        )
        yield cursor


def item_of(cursor: Any, migration: str = "009", *sources: str) -> dict[str, Any]:
    """A dropped table star of two rows, of which the migration had brought one, made of the sources."""
    store = SalvageStore(cursor)
    number = store.begin_item("r1", migration, TABLE, STAR, ["id"], ["id"])
    keep_line(cursor, number, "(1)", "(1,mine)")
    keep_line(cursor, number, "(2)", "(2,own)")
    rows = sql.SQL("SELECT '(1)'::text AS key, 1::bigint AS occurrence, '(1,brought)'::text AS line")
    note_rows(cursor, "009", STAR, ["id", "mark"], rows)
    for source in sources:
        note_source(cursor, "009", ("public", source))
    note_sources(cursor, migration, [number])
    return store.item(number)


def test_what_the_migration_had_brought_stands_beside_the_row(cursor: Any) -> None:
    item = item_of(cursor)
    cursor.execute(
        "SELECT key, brought FROM runbook_salvage.kept_row WHERE item = %s ORDER BY key", (item["item"],)
    )
    assert cursor.fetchall() == [("(1)", "(1,brought)"), ("(2)", None)]
    assert item["facts"] == {"sources": [], "brought_columns": ["id", "mark"]}


def test_an_item_of_a_migration_that_brought_nothing_into_its_table_is_left_as_it_is(cursor: Any) -> None:
    assert item_of(cursor, "010")["facts"] == {}


@pytest.mark.parametrize(
    ("since", "changed"),
    [
        ("SELECT", False),
        ("UPDATE book SET pages = pages", False),
        ("UPDATE book SET pages = 3 WHERE title = 'b'", True),
        ("DELETE FROM book WHERE ctid = (SELECT min(ctid) FROM book)", True),
        ("INSERT INTO book VALUES ('c', NULL)", True),
        ("DROP TABLE book", True),
    ],
)
def test_a_change_of_a_source_is_told(cursor: Any, since: str, changed: bool) -> None:
    item = item_of(cursor, "009", "book", "gone_already")
    assert [name for name, _ in item["facts"]["sources"]] == [["public", "book"]]
    cursor.execute(since)
    assert sources_changed(cursor, item) is changed


def test_a_source_is_locked_while_it_is_asked(cursor: Any, connection: Any) -> None:
    item = item_of(cursor, "009", "book")
    connection.commit()
    sources_changed(cursor, item)
    cursor.execute("SELECT mode FROM pg_locks WHERE relation = 'book'::regclass AND mode = 'ShareLock'")
    assert cursor.fetchall() == [("ShareLock",)]
