# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine writes what goes into a living table, and its two policies say what becomes of the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.rows.changes import ADDED, CHANGED, DELETED
from ansible_collections.pgops.runbook.plugins.module_utils.rows.policies import (
    HOLD_BACK,
    LEAVE,
    VALUES_TAKEN,
    Policy,
)
from ansible_collections.pgops.runbook.plugins.module_utils.rows.writing import TableWriter, take_out_orphans

from tests.integration.rows.work import changes

ALL = (DELETED, CHANGED, ADDED)
BOTH = pytest.mark.parametrize("policy", [HOLD_BACK, LEAVE], ids=["hold back", "leave"])
BOOKS = [(1, 1, "one"), (2, 1, "two"), (3, 2, "three")]


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE shelf (id int PRIMARY KEY); INSERT INTO shelf VALUES (1), (2);
               CREATE TABLE book (id int PRIMARY KEY, shelf int REFERENCES shelf, title text NOT NULL UNIQUE);
               CREATE TABLE line (id int PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE)"""
        )
        cursor.executemany("INSERT INTO book VALUES (%s, %s, %s)", BOOKS)
        cursor.execute("INSERT INTO line VALUES (10, 1), (20, 2)")
        yield cursor


@BOTH
def test_all_kinds_are_written(cursor: Any, ask: Any, policy: Policy) -> None:
    what = [("deleted", 3, 2, "three"), ("changed", 2, 2, "zwei"), ("added", 4, 1, "three")]
    assert TableWriter(cursor, changes(cursor, "book", what), policy).write(ALL) == {}
    assert ask("SELECT * FROM book ORDER BY id") == [(1, 1, "one"), (2, 2, "zwei"), (4, 1, "three")]


@pytest.mark.parametrize(("title", "indexed"), [("zwei", 0), ("one", 1)])
def test_where_it_goes_by_parts_each_is_looked_up_by_its_numbers(
    cursor: Any, ask: Any, title: str, indexed: int
) -> None:
    """Not where all goes at once: to make the index takes as long as to write the rows."""
    writer = TableWriter(
        cursor, changes(cursor, "book", [("changed", 2, 1, title), ("added", 4, 1, "x")]), LEAVE
    )
    for _ in range(1 + indexed):
        writer.write(ALL)
    assert ask("SELECT count(*) FROM pg_index WHERE indrelid = 'work_book'::regclass") == [(indexed,)]


@BOTH
def test_unique_values_that_change_places_are_taken_out_first(cursor: Any, ask: Any, policy: Policy) -> None:
    cursor.execute("CREATE INDEX ON book (shelf)")
    what = [("changed", 1, 1, "two"), ("changed", 2, 1, "three"), ("changed", 3, 1, "one")]
    assert TableWriter(cursor, changes(cursor, "book", what), policy).write((CHANGED,)) == {}
    assert ask("SELECT id, title FROM book ORDER BY id") == [(1, "two"), (2, "three"), (3, "one")]
    assert ask("SELECT id FROM line ORDER BY id") == [(10,), (20,)], "no row was deleted for it"
    assert ask(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'book'::regclass AND attname = 'title'"
    ) == [(True,)]


@pytest.mark.parametrize(
    ("policy", "reasons", "lines"),
    [
        (HOLD_BACK, {1: VALUES_TAKEN, 2: VALUES_TAKEN}, [(10,), (20,)]),
        # The caller compares again, and brings back what went with them.
        (LEAVE, {}, []),
    ],
    ids=["hold back", "leave"],
)
def test_values_that_an_expression_makes_unique_are_rewritten_by_those_who_compare_again(
    cursor: Any, ask: Any, policy: Policy, reasons: dict[int, str], lines: list[tuple[int]]
) -> None:
    cursor.execute(
        "ALTER TABLE book DROP CONSTRAINT book_title_key; CREATE UNIQUE INDEX ON book (upper(title))"
    )
    what = [("changed", 1, 1, "two"), ("changed", 2, 1, "one")]
    assert TableWriter(cursor, changes(cursor, "book", what), policy).write((CHANGED,)) == reasons
    titles = ["one", "two"] if reasons else ["two", "one"]
    assert ask("SELECT title FROM book WHERE id < 3 ORDER BY id") == [(title,) for title in titles]
    assert ask("SELECT id FROM line ORDER BY id") == lines


@pytest.mark.parametrize(
    ("policy", "missing"),
    [(HOLD_BACK, ""), (LEAVE, ' (Key (shelf)=(9) is not present in table "shelf".)')],
    ids=["hold back", "leave"],
)
def test_what_does_not_go_has_a_reason_and_all_others_go(
    cursor: Any, ask: Any, policy: Policy, missing: str
) -> None:
    cursor.execute("ALTER TABLE book ADD CHECK (title <> 'b50')")
    what = [("added", 100 + n, 9 if n == 7 else 1, f"b{n}") for n in range(1, 61)]
    assert TableWriter(cursor, changes(cursor, "book", what), policy).write((ADDED,)) == {
        7: f'insert or update on table "book" violates foreign key constraint "book_shelf_fkey"{missing}',
        50: 'new row for relation "book" violates check constraint "book_title_check"',
    }
    assert ask("SELECT count(*) FROM book WHERE id > 100") == [(58,)]


def test_a_row_that_waits_for_another_goes_in_a_later_part(cursor: Any, ask: Any) -> None:
    """Each title is the one that the next row gives up, and no column can be cleared to let them pass."""
    cursor.execute(
        "ALTER TABLE book DROP CONSTRAINT book_title_key; CREATE UNIQUE INDEX ON book (lower(title))"
    )
    what = [
        ("changed", 1, 1, "two"),
        ("changed", 2, 1, "three"),
        ("changed", 3, 2, "new"),
        ("added", 4, 9, "no shelf"),
    ]
    assert list(TableWriter(cursor, changes(cursor, "book", what), HOLD_BACK).write((CHANGED, ADDED))) == [4]
    assert ask("SELECT title FROM book ORDER BY id") == [("two",), ("three",), ("new",)]


def test_only_columns_that_count_are_set(cursor: Any, ask: Any) -> None:
    waiting = changes(cursor, "book", [("changed", 1, 2, "uno"), ("changed", 2, 2, "due")])
    cursor.execute(
        "ALTER TABLE pg_temp.work_book ADD columns text[]; UPDATE pg_temp.work_book SET columns = '{shelf}'"
    )
    waiting = dataclasses.replace(
        waiting, counts=lambda name: sql.SQL("{} = ANY (k.columns)").format(sql.Literal(name))
    )
    assert TableWriter(cursor, waiting, HOLD_BACK).write((CHANGED,)) == {}
    assert ask("SELECT * FROM book WHERE id < 3 ORDER BY id") == [(1, 2, "one"), (2, 2, "two")]


def test_a_column_that_does_not_count_needs_no_parent(cursor: Any, ask: Any) -> None:
    waiting = changes(cursor, "book", [("changed", 1, 9, "uno")])
    (constraint,) = waiting.table.foreign_keys
    for counts, missing in ((lambda name: None, 1), (lambda name: sql.Literal(name == "title"), 0)):
        condition = dataclasses.replace(waiting, counts=counts).parent_missing(constraint)
        query = sql.SQL("SELECT count(*) FROM {} k WHERE {}").format(waiting.work, condition)
        assert ask(query) == [(missing,)]


def test_a_row_whose_place_another_row_has_is_not_written_over_it(cursor: Any, ask: Any) -> None:
    waiting = changes(cursor, "book", [("changed", 1, 2, "uno"), ("deleted", 2, 1, "two")])
    cursor.execute("UPDATE book SET shelf = 2 WHERE id < 3")
    TableWriter(cursor, waiting, LEAVE).write(ALL)
    assert ask("SELECT * FROM book WHERE id < 3 ORDER BY id") == [(1, 2, "one"), (2, 2, "two")]


def test_rows_whose_parent_did_not_come_are_taken_out_with_their_own_children(cursor: Any, ask: Any) -> None:
    cursor.execute(
        """ALTER TABLE line ALTER CONSTRAINT line_book_fkey DEFERRABLE INITIALLY DEFERRED;
           ALTER TABLE book ALTER CONSTRAINT book_shelf_fkey DEFERRABLE INITIALLY DEFERRED"""
    )
    books = changes(cursor, "book", [("added", 8, 2, "here"), ("added", 9, 7, "lost")])
    lines = changes(cursor, "line", [("added", 30, 8), ("added", 40, 9), ("added", 50, 1)])
    writers = [TableWriter(cursor, one, HOLD_BACK) for one in (lines, books)]
    assert [writer.write((ADDED,)) for writer in writers] == [{}, {}]
    assert take_out_orphans(writers, [("public", "book"), ("public", "shelf")]) == [
        {2: "its parent in public.book is gone"},
        {2: "its parent in public.shelf is gone"},
    ]
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert ask("SELECT id FROM line ORDER BY id") == [(10,), (20,), (30,), (50,)]
    assert ask("SELECT id FROM book ORDER BY id") == [(1,), (2,), (3,), (8,)]
