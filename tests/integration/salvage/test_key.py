# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a row is recognised after it left its table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.key import (
    Key,
    choose_key,
    numbered_rows,
    record,
)
from psycopg2 import sql

COLUMNS = ["a", "b", "c"]


def chosen(connection: Any, table: str, columns: list[str] = COLUMNS) -> Key:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t {table}")
        cursor.execute("SELECT 't'::regclass::oid::bigint")
        key = choose_key(cursor, cursor.fetchone()[0], columns)
    connection.rollback()
    return key


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("(a int, b int, c int, PRIMARY KEY (c, a))", (["c", "a"], True)),
        ("(a int NOT NULL UNIQUE, b int PRIMARY KEY, c int)", (["b"], True)),
        ("(a int NOT NULL, b int NOT NULL, c int NOT NULL UNIQUE, UNIQUE (a, b))", (["c"], True)),
        ("(a int UNIQUE, b int, c int)", (COLUMNS, False)),  # two NULLs are two rows
        ("(a int NOT NULL UNIQUE DEFERRABLE, b int, c int)", (COLUMNS, False)),
        ("(a int, b int, c int); CREATE UNIQUE INDEX ON t ((a + 1))", (COLUMNS, False)),
        ("(a int NOT NULL, b int, c int); CREATE UNIQUE INDEX ON t (a) WHERE b > 0", (COLUMNS, False)),
        ("(a int NOT NULL, b int, c int); CREATE UNIQUE INDEX ON t (a) INCLUDE (b)", (["a"], True)),
        ("(a int, b int, c int); CREATE INDEX ON t (a)", (COLUMNS, False)),
    ],
)
def test_the_key_is_what_tells_any_two_rows_apart(connection: Any, table: str, key: tuple) -> None:
    assert chosen(connection, table) == Key(*key)


def test_a_key_that_goes_with_its_column_is_none(connection: Any) -> None:
    table = "(a int PRIMARY KEY, b int NOT NULL, c int NOT NULL, UNIQUE (b, c))"
    assert chosen(connection, table, ["b", "c"]) == Key(["b", "c"], True)
    assert chosen(connection, table, ["c"]) == Key(["c"], False)


def rows(connection: Any, key: Key, columns: list[str], partitioned: bool = False) -> list[tuple]:
    with connection.cursor() as cursor:
        query = numbered_rows(("public", "t"), partitioned, key, columns)
        cursor.execute(sql.SQL("SELECT key, occurrence, line FROM ({}) AS rows ORDER BY 1, 2").format(query))
        return cursor.fetchall()


def test_rows_without_a_key_are_told_apart_by_their_number(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (a text, b int); INSERT INTO t VALUES ('x', 1), ('x', 1), (NULL, 2), ('', 2)"
        )
    assert rows(connection, Key(["a", "b"], False), ["b", "a"]) == [
        ('("",2)', 1, '(2,"")'),
        ("(,2)", 1, "(2,)"),
        ("(x,1)", 1, "(1,x)"),
        ("(x,1)", 2, "(1,x)"),
    ]


def test_rows_of_tables_that_inherit_are_not_its_own_and_those_of_partitions_are(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (a int); CREATE TABLE child () INHERITS (t);"
            " INSERT INTO t VALUES (1); INSERT INTO child VALUES (2)"
        )
    assert rows(connection, Key(["a"], True), ["a"]) == [("(1)", 1, "(1)")]
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE one PARTITION OF t FOR VALUES IN (1);"
            " INSERT INTO t VALUES (1)"
        )
    assert rows(connection, Key(["a"], True), ["a"], partitioned=True) == [("(1)", 1, "(1)")]


def test_a_record_tells_null_from_the_empty_string(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a text, b text); INSERT INTO t VALUES (NULL, ''), ('a\"b', 'c,d')")
        cursor.execute(sql.SQL("SELECT {} FROM t ORDER BY a").format(record(["a", "b"], alias="t")))
        assert cursor.fetchall() == [('("a""b","c,d")',), ('(,"")',)]
