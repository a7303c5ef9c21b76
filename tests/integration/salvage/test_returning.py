# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of putting salvage back: rows of one item, own rows, parents that are others, competing rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.rows.policies import PARENT_GONE, VALUES_TAKEN
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.brought_again import (
    BroughtAgain,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.competing_rows import (
    NEWER_VERSION,
    hold_back_competing_rows,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.parents import (
    PARENT_IS_ANOTHER,
    parent_is_another,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.rows import (
    OTHER_VALUE,
    ROW_GONE,
    RowReturn,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import (
    COLUMNS,
    DELETED,
    TABLE,
    SalvageStore,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.returning import (
    count_kept,
    note_returned,
    range_of_numbers,
    reasons_of_held_back,
)

from tests.integration.salvage.kept_items import MIGRATION, keep, kept, note_own_row


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE shelf (id int PRIMARY KEY); INSERT INTO shelf VALUES (1), (2);
               CREATE TABLE book (id serial PRIMARY KEY, title text UNIQUE, shelf int REFERENCES shelf)"""
        )
        pin_session(cursor, local=True)
        SalvageStore(cursor).create()
        yield cursor


@pytest.fixture
def ask(cursor: Any) -> Callable[[Any], list[tuple[Any, ...]]]:
    def ask(query: Any) -> list[tuple[Any, ...]]:
        cursor.execute(query)
        return cursor.fetchall()

    return ask


def put_back(cursor: Any, item: dict[str, Any]) -> None:
    table = table_facts(cursor, (item["schema"], item["table"]))
    assert table is not None
    RowReturn(cursor, MIGRATION, item, table).put_back()


BOOK = ("id", "title", "shelf")
BOOKS = "SELECT * FROM public.book ORDER BY id"


# Rows of one item -------------------------------------------------------------------------------------------


def test_rows_go_back_and_each_that_stays_has_its_reason(cursor: Any, ask: Any) -> None:
    cursor.execute("INSERT INTO public.book VALUES (1, 'as left', 1), (2, 'mine', 1)")
    rows = [("(1)", "(1,kept,2)"), ("(3)", "(3,mine,1)"), ("(4)", "(4,lost,9)"), ("(5)", "(5,new,1)")]
    item = keep(cursor, "book", BOOK, [*rows, ("(6)", "(x,y,z)")])
    put_back(cursor, item)
    assert ask(BOOKS) == [(1, "kept", 2), (2, "mine", 1), (5, "new", 1)]
    assert [(key, reason) for _, key, reason in kept(cursor)] == [
        ("(3)", VALUES_TAKEN),
        ("(4)", PARENT_GONE.format("public.shelf")),
        ("(6)", 'invalid input syntax for type integer: "x"'),
    ]
    assert ask("SELECT nextval('public.book_id_seq')") == [(6,)], "the next number is one that nobody has"


def test_values_of_a_row_that_is_gone_stay(cursor: Any, ask: Any) -> None:
    cursor.execute("INSERT INTO public.book VALUES (1, 'one', 1)")
    put_back(
        cursor, keep(cursor, "book", ("id", "shelf"), [("(1)", "(1,2)"), ("(7)", "(7,2)")], kind=COLUMNS)
    )
    assert ask(BOOKS) == [(1, "one", 2)]
    assert kept(cursor) == [(1, "(7)", ROW_GONE)]


def test_a_type_that_rounds_is_not_passed_over(cursor: Any, ask: Any) -> None:
    cursor.execute("CREATE TABLE public.price (id int PRIMARY KEY, amount numeric(6, 1))")
    put_back(
        cursor, keep(cursor, "price", ("id", "amount"), [("(1)", "(1,2.5)"), ("(2)", "(2,2.55)")], kind=TABLE)
    )
    assert kept(cursor) == [(1, "(2)", OTHER_VALUE)]
    assert ask("SELECT * FROM public.price WHERE id = 1 AND amount = 2.5") == ask("SELECT 1, 2.5")


def test_the_content_of_a_table_without_a_key_goes_back_whole_or_not_at_all(cursor: Any, ask: Any) -> None:
    cursor.execute(
        "CREATE TABLE public.note (body text CHECK (body <> 'bad')); INSERT INTO public.note VALUES ('left')"
    )
    item = keep(cursor, "note", ("body",), [("(a)", "(a)"), ("(bad)", "(bad)")], unique=False)
    put_back(cursor, item)
    assert ask("SELECT * FROM public.note") == [("left",)]
    reason = 'new row for relation "note" violates check constraint "note_body_check"'
    assert reasons_of_held_back(cursor, item) == {reason: 2}


# Own rows ---------------------------------------------------------------------------------------------------


def test_an_own_row_that_a_user_deleted_goes_again(cursor: Any, ask: Any) -> None:
    cursor.execute("INSERT INTO public.book VALUES (11, 'own', 1), (12, 'other', 1)")
    for key, line in (("(11)", "(11,own,1)"), ("(12)", "(12,other,1)")):
        note_own_row(cursor, "book", key, line)
    put_back(cursor, keep(cursor, "book", BOOK, [("(1)", "(1,own,1)")], kind=DELETED))
    assert ask(BOOKS) == [(12, "other", 1)]
    assert kept(cursor) == []


def test_an_own_row_under_another_key_becomes_what_users_had_made_of_it(cursor: Any, ask: Any) -> None:
    cursor.execute("INSERT INTO public.book VALUES (11, 'own', 1), (12, 'of a user', 1)")
    note_own_row(cursor, "book", "(11)", "(11,own,1)")
    put_back(cursor, keep(cursor, "book", BOOK, [("(1)", "(1,own,2)"), ("(2)", '(2,"of a user",2)')]))
    assert ask(BOOKS) == [(1, "own", 2), (12, "of a user", 1)], "what a user made gives way to nobody"
    assert kept(cursor) == [(1, "(2)", VALUES_TAKEN)]
    assert ask("SELECT key FROM runbook_salvage.made_row") == [("(1)",)], "the next rollback knows it again"


def test_an_own_row_that_cannot_become_it_keeps_its_key(cursor: Any, ask: Any) -> None:
    cursor.execute(
        "INSERT INTO public.book VALUES (11, 'own', 1); ALTER TABLE public.book ADD CHECK (shelf <> 2)"
    )
    note_own_row(cursor, "book", "(11)", "(11,own,1)")
    put_back(cursor, keep(cursor, "book", BOOK, [("(1)", "(1,own,2)")]))
    assert ask(BOOKS) == [(11, "own", 1)]
    assert ask("SELECT key FROM runbook_salvage.made_row") == [("(11)",)]
    assert [reason for _, _, reason in kept(cursor)] == [
        'new row for relation "book" violates check constraint "book_shelf_check"'
    ]


@pytest.mark.parametrize(("now", "numbers"), [("(11,own,1)", []), ("(11,own,2)", [1])])
def test_an_own_row_that_is_made_of_something_else_is_told_from_the_one_before(
    cursor: Any, ask: Any, now: str, numbers: list[int]
) -> None:
    cursor.execute(
        "CREATE TEMPORARY TABLE work AS SELECT 1::bigint AS number, '(1)' AS key, 1::bigint AS occurrence,"
        " '(1,own,1)'::public.book AS shape, NULL::tid AS place"
    )
    cursor.execute("INSERT INTO public.book SELECT (%s::public.book).*", (now,))
    note_own_row(cursor, "book", "(11)", now)
    item = keep(cursor, "book", BOOK, [("(1)", "(1,own,1)")])
    table = table_facts(cursor, ("public", "book"))
    assert table is not None
    brought = BroughtAgain(cursor, MIGRATION, item, table, sql.Identifier("pg_temp", "work"))
    brought.find(
        sql.SQL(
            "SELECT ctid AS place, tableoid AS partition, ROW(id)::text AS key, 1 AS occurrence FROM public.book"
        )
    )
    assert brought.made_of_something_else() == numbers


# Parents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "is_another"), [(VALUES_TAKEN, True), (None, False), ("its row is gone", False)]
)
def test_a_parent_that_stays_while_another_row_has_its_key_is_another_one(
    cursor: Any, ask: Any, reason: str | None, is_another: bool
) -> None:
    parent = keep(cursor, "shelf", ("id",), [("(1)", "(1)")])
    if reason:
        SalvageStore(cursor).hold_back(parent["item"], reason)
    item = keep(cursor, "book", BOOK, [("(5)", "(5,new,1)"), ("(6)", "(6,fine,2)")])
    table = table_facts(cursor, ("public", "book"))
    assert table is not None
    cursor.execute("CREATE TEMPORARY TABLE work (columns text[], shape public.book)")
    cursor.execute(
        "INSERT INTO work VALUES (NULL, '(5,new,1)'), ('{title}', '(7,part,1)'), (NULL, '(6,fine,2)')"
    )
    condition = parent_is_another(item, table.foreign_keys[0])
    found = ask(sql.SQL("SELECT (shape).id FROM pg_temp.work k WHERE {}").format(condition))
    assert found == ([(5,)] if is_another else [])
    put_back(cursor, item)
    assert ask("SELECT id FROM public.book ORDER BY id") == ([(6,)] if is_another else [(5,), (6,)])
    if is_another:
        assert kept(cursor)[-1] == (item["item"], "(5)", PARENT_IS_ANOTHER.format("public.shelf"))


# Several items ----------------------------------------------------------------------------------------------


def test_of_competing_rows_the_newest_goes_back(cursor: Any) -> None:
    older = keep(
        cursor, "book", BOOK, [("(1)", "(1,a,1)"), ("(2)", "(2,b,1)"), ("(3)", "(3,c,1)")], run="first"
    )
    newer = keep(cursor, "book", BOOK, [("(1)", "(1,A,1)"), ("(2)", "(2,b,1)")], run="second")
    hold_back_competing_rows(cursor, [older, newer])
    assert kept(cursor) == [
        (older["item"], "(1)", NEWER_VERSION),
        (older["item"], "(2)", None),  # alike in both
        (older["item"], "(3)", None),
        (newer["item"], "(1)", None),
        (newer["item"], "(2)", None),
    ]


def test_items_of_one_rollback_do_not_compete(cursor: Any) -> None:
    items = [keep(cursor, "book", BOOK, [("(1)", f"(1,{title},1)")]) for title in "ab"]
    hold_back_competing_rows(cursor, items)
    assert [reason for _, _, reason in kept(cursor)] == [None, None]


def test_the_whole_content_of_a_table_competes_with_each_row(cursor: Any) -> None:
    older = keep(cursor, "note", ("body",), [("(a)", "(a)"), ("(b)", "(b)")], run="first", unique=False)
    newer = keep(cursor, "note", ("body",), [("(c)", "(c)")], run="second", unique=False)
    hold_back_competing_rows(cursor, [older, newer])
    assert [reason for _, _, reason in kept(cursor)] == [NEWER_VERSION, NEWER_VERSION, None]


def test_what_is_counted_of_an_item(cursor: Any, ask: Any) -> None:
    keep(cursor, "book", BOOK, [("(9)", "(9,z,1)")])
    item = keep(cursor, "book", BOOK, [("(1)", "(1,a,1)"), ("(2)", "(2,b,1)"), ("(3)", "(3,c,1)")])
    SalvageStore(cursor).hold_back(item["item"], "why", [2])
    assert (count_kept(cursor, item), reasons_of_held_back(cursor, item)) == (3, {"": 2, "why": 1})
    assert range_of_numbers(cursor, item) == range(3, 5)
    SalvageStore(cursor).hold_back(item["item"], "all")
    assert range_of_numbers(cursor, item) == range(0)
    note_returned(cursor, item, "run 7")
    assert ask("SELECT item, returned_by FROM runbook_salvage.manifest WHERE returned IS NOT NULL") == [
        (item["item"], "run 7")
    ]
