# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a row is recognised: by a key that tells rows apart whatever is in them, or by all of its values."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.identity import identity_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.key import (
    Key,
    alike,
    numbered_rows,
    plain_columns,
    record,
)
from psycopg2 import sql


def chosen(connection: Any, columns: list[str], *definitions: str) -> Key:
    with connection.cursor() as cursor:
        cursor.execute("; ".join(definitions))
        cursor.execute("SELECT 'book'::regclass::oid::bigint")
        key = identity_of(cursor, cursor.fetchone()[0], columns, ()).key
    connection.rollback()
    return key


TABLE = "CREATE TABLE book (id int, isbn text NOT NULL, place text, shelf int NOT NULL)"
ALL = ["id", "isbn", "place", "shelf"]


@pytest.mark.parametrize(
    ("definition", "columns", "key"),
    [
        ("ALTER TABLE book ADD PRIMARY KEY (id)", ALL, Key(["id"], True)),
        ("ALTER TABLE book ADD PRIMARY KEY (shelf, id)", ALL, Key(["shelf", "id"], True)),
        ("ALTER TABLE book ADD UNIQUE (isbn)", ALL, Key(["isbn"], True)),
        ("ALTER TABLE book ADD UNIQUE (isbn); ALTER TABLE book ADD PRIMARY KEY (id)", ALL, Key(["id"], True)),
        ("CREATE UNIQUE INDEX ON book (shelf) INCLUDE (place)", ALL, Key(["shelf"], True)),
        # When its column goes, it cannot be the key.
        (
            "ALTER TABLE book ADD PRIMARY KEY (id); ALTER TABLE book ADD UNIQUE (isbn)",
            ALL[1:],
            Key(["isbn"], True),
        ),
        # None of these tells all rows apart.
        ("CREATE UNIQUE INDEX ON book (place)", ALL, Key(ALL, False)),
        ("CREATE UNIQUE INDEX ON book (isbn) WHERE shelf > 0", ALL, Key(ALL, False)),
        ("CREATE UNIQUE INDEX ON book (lower(isbn))", ALL, Key(ALL, False)),
        ("ALTER TABLE book ADD UNIQUE (isbn) DEFERRABLE INITIALLY DEFERRED", ALL, Key(ALL, False)),
        ("CREATE INDEX ON book (isbn)", ALL, Key(ALL, False)),
    ],
)
def test_the_key(connection: Any, definition: str, columns: list[str], key: Key) -> None:
    assert chosen(connection, columns, TABLE, definition) == key


@pytest.mark.parametrize(
    ("key", "numbers"), [(Key(["body"], False), [1, 1, 2]), (Key(["body"], True), [1, 1, 1])]
)
def test_equal_rows_without_a_key_are_told_apart_by_their_number(
    connection: Any, key: Key, numbers: list[int]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE note (body text); INSERT INTO note VALUES ('a'), ('a'), ('b')")
        cursor.execute(numbered_rows(("public", "note"), False, key, ["body"]))
        rows = cursor.fetchall()
        found = {column.name: position for position, column in enumerate(cursor.description)}
    assert sorted(row[found["occurrence"]] for row in rows) == numbers


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


COMPARED = """
    CREATE DOMAIN label AS text;
    CREATE TABLE compared (i int, t text, v varchar(9), u uuid, z timestamptz, n numeric, f float8, c char(3), l label,
                           a int[], j jsonb, d interval)"""


def test_of_plain_columns_equal_values_are_written_alike(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COMPARED)
        assert plain_columns(cursor, sql.Identifier("compared")) == {"i", "t", "v", "u", "z"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1, 'a', 1.0, '{1}'", "1, 'a', 1.0, '{1}'", True),
        ("NULL, NULL, NULL, NULL", "NULL, NULL, NULL, NULL", True),
        ("1, 'a', 1.0, '{1}'", "1, 'a', 1.00, '{1}'", False),
        ("1, 'a', 1.0, '{1}'", "1, NULL, 1.0, '{1}'", False),
        ("1, '', NULL, NULL", "1, NULL, NULL, NULL", False),
        ("1, 'a', 1.0, '{1}'", "2, 'a', 1.0, '{1}'", False),
        ("1, 'a', 1.0, '{1}'", "1, 'a', 1.0, '{2}'", False),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_values_are_alike_that_are_written_alike(
    connection: Any, one: str, other: str, same: bool, known: bool
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE compared (i int, t text, n numeric, a int[])")
        plain = plain_columns(cursor, sql.Identifier("compared")) if known else ()
        condition = alike("x", "y", ["i", "t", "n", "a"], plain)
        cursor.execute(
            sql.SQL("SELECT {} FROM (SELECT ROW({})::compared AS x, ROW({})::compared AS y) AS rows").format(
                condition, sql.SQL(one), sql.SQL(other)
            )
        )
        assert cursor.fetchone() == (same,)
