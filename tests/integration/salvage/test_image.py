# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image of a table's rows, what is kept of them after a script, and what people have changed since then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.changed_since import (
    ROW_CHANGED,
    ROW_DELETED,
    ROW_MADE,
    TABLE_CHANGED,
    hold_back_changed,
    narrow_to_untouched,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.image import LeftTable, RowImage
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.key import choose_key
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import (
    ROWS,
    UNTOUCHED,
    SalvageStore,
)

Kept = list[tuple[str, str, list[str] | None, bool]]


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        SalvageStore(cursor).create()
        yield cursor


def rolled_back(cursor: Any, script: str, table: str = "t", **options: Any) -> int:
    """Number of the item that is kept of table t when the script runs and leaves it as ``table``."""
    was = table_facts(cursor, ("public", "t"))
    columns = list(was.columns)
    key = choose_key(cursor, was.oid, columns)
    image = RowImage(cursor, "t", was.name, was.partitioned, columns, key)
    cursor.execute(script)
    left = LeftTable(("public", table), was.partitioned, list(table_facts(cursor, ("public", table)).columns))
    item = SalvageStore(cursor).begin_item(
        "r1", "009", ROWS, was.name, columns, key.columns, image.facts(left)
    )
    image.keep_changed(item, left, only_changed_columns=options.get("only_changed_columns", True))
    if options.get("untouched"):
        untouched = SalvageStore(cursor).begin_item(
            "r1", "009", UNTOUCHED, was.name, columns, key.columns, image.facts(left)
        )
        image.note_untouched(untouched, item)
    image.drop()
    return item


def kept(cursor: Any, item: int) -> Kept:
    cursor.execute(
        "SELECT key, kept, columns, left_digest IS NOT NULL FROM runbook_salvage.kept_row WHERE item = %s ORDER BY key",
        (item,),
    )
    return cursor.fetchall()


@pytest.fixture
def keyed(cursor: Any) -> Any:
    cursor.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text);"
        " INSERT INTO t VALUES (1, 'x', NULL), (2, 'y', ''), (3, 'z', 'z')"
    )
    return cursor


CHANGES = "UPDATE t SET b = '' WHERE id = 1; UPDATE t SET a = a WHERE id = 2; DELETE FROM t WHERE id = 3"


def test_the_old_version_of_what_differs_is_kept(keyed: Any) -> None:
    item = rolled_back(keyed, CHANGES)
    assert kept(keyed, item) == [("(1)", "(1,x,)", ["b"], True), ("(3)", "(3,z,z)", None, False)]


def test_the_other_columns_count_too_where_the_next_deploy_writes_to_them(keyed: Any) -> None:
    item = rolled_back(keyed, CHANGES, only_changed_columns=False)
    assert kept(keyed, item) == [("(1)", "(1,x,)", None, True), ("(3)", "(3,z,z)", None, False)]


def test_the_rows_that_were_left_as_they_were_are_noted(keyed: Any) -> None:
    item = rolled_back(keyed, CHANGES, untouched=True)
    assert kept(keyed, item + 1) == [("(2)", "", [], True)]


def test_a_table_and_columns_that_are_called_otherwise_now_are_the_same_rows(keyed: Any) -> None:
    item = rolled_back(
        keyed,
        "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME a TO c; UPDATE u SET c = 'new' WHERE id = 2",
        table="u",
    )
    assert kept(keyed, item) == [("(2)", '(2,y,"")', ["a"], True)]
    facts = SalvageStore(keyed).item(item)["facts"]
    assert (facts["left_table"], facts["left_columns"]) == (["public", "u"], ["id", "c", "b"])
    assert (facts["left_key_columns"], facts["left_digest"]) == (["id"], None)


def test_without_a_key_all_rows_are_kept(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1), (2)")
    item = rolled_back(cursor, "DELETE FROM t WHERE a = 2")
    assert [(key, line) for key, line, *_ in kept(cursor, item)] == [
        ("(1)", "(1)"),
        ("(1)", "(1)"),
        ("(2)", "(2)"),
    ]
    assert SalvageStore(cursor).item(item)["facts"]["left_digest"]


def test_how_many_are_gone(keyed: Any) -> None:
    was = table_facts(keyed, ("public", "t"))
    columns = list(was.columns)
    image = RowImage(keyed, "t", was.name, False, columns, choose_key(keyed, was.oid, columns))
    keyed.execute(CHANGES + "; INSERT INTO t VALUES (9, 'new', '')")
    assert image.count_gone(LeftTable(was.name, False, columns)) == 2


# Since the rollback ------------------------------------------------------------------------------------------


def held_back(cursor: Any, item: int) -> list[tuple[str, str | None]]:
    hold_back_changed(cursor, SalvageStore(cursor).item(item))
    cursor.execute(
        "SELECT key, held_back FROM runbook_salvage.kept_row WHERE item = %s ORDER BY key", (item,)
    )
    return cursor.fetchall()


@pytest.mark.parametrize(
    ("since", "reasons"),
    [
        ("SELECT", [None, None]),
        ("UPDATE t SET a = 'mine' WHERE id = 1", [ROW_CHANGED, None]),
        ("DELETE FROM t WHERE id = 1", [ROW_DELETED, None]),
        ("INSERT INTO t VALUES (3, 'mine', NULL)", [None, ROW_MADE]),
        ("UPDATE t SET a = 'mine' WHERE id = 2", [None, None]),
        ("ALTER TABLE t DROP COLUMN b", [None, None]),  # nothing can be told before the script
    ],
)
def test_what_somebody_changed_since_is_held_back_with_the_reason(
    keyed: Any, since: str, reasons: list[str | None]
) -> None:
    item = rolled_back(keyed, CHANGES)
    keyed.execute(since)
    assert held_back(keyed, item) == list(zip(["(1)", "(3)"], reasons, strict=True))


@pytest.mark.parametrize(
    ("since", "reason"), [("SELECT", None), ("UPDATE t SET a = 7 WHERE a = 2", TABLE_CHANGED)]
)
def test_a_table_without_a_key_is_held_back_as_a_whole(cursor: Any, since: str, reason: str | None) -> None:
    cursor.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    item = rolled_back(cursor, "DELETE FROM t WHERE a = 1")
    cursor.execute(since)
    assert held_back(cursor, item) == [("(1)", reason), ("(2)", reason)]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("SELECT", [("(1)", "(1,x,1)", None), ("(2)", "(2,y,2)", None)]),
        ("UPDATE t SET b = 'mine' WHERE id = 1", [("(2)", "(2,y,2)", None)]),
        ("DELETE FROM t WHERE id = 2", [("(1)", "(1,x,1)", None)]),
        ("DROP TABLE t", []),
    ],
)
def test_of_untouched_rows_those_that_are_still_so_are_taken_as_they_are_now(
    cursor: Any, since: str, expected: list[tuple]
) -> None:
    cursor.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    cursor.execute("INSERT INTO t VALUES (1, 'x', '1'), (2, 'y', '2')")
    untouched = rolled_back(cursor, "SELECT", untouched=True) + 1
    cursor.execute(since)
    for _ in range(2):  # a deploy whose statements commit one by one may begin twice
        narrow_to_untouched(cursor, SalvageStore(cursor).item(untouched))
        assert [row[:3] for row in kept(cursor, untouched)] == expected


def test_nobody_else_writes_while_it_is_asked(
    keyed: Any, connection: Any, server: Any, database: str
) -> None:
    item = rolled_back(keyed, CHANGES)
    connection.commit()
    check: Callable[[Any, Any], None]
    for check in (hold_back_changed, narrow_to_untouched):
        check(keyed, SalvageStore(keyed).item(item))
        keyed.execute(
            "SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid()"
            " AND mode = 'ShareRowExclusiveLock'"
        )
        assert keyed.fetchall() == [("ShareRowExclusiveLock",)]
        connection.rollback()
