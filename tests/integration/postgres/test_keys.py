# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which columns rows are told apart: a key must never promise what it does not keep."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.application_tables import RELATIONS
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.keys import (
    PRIMARY_KEY,
    UniqueKey,
    key_among,
    unique_keys,
)

COLUMNS = ["a", "b", "c"]


def made(cursor: Any, *statements: str) -> int:
    cursor.execute("CREATE TABLE t (a int, b int, c int)")
    for statement in statements:
        cursor.execute(statement)
    cursor.execute("SELECT 't'::regclass::oid::bigint")
    return cursor.fetchone()[0]


def test_the_primary_key_in_its_own_order_without_what_it_includes(connection: Any) -> None:
    with connection.cursor() as cursor:
        oid = made(cursor, "ALTER TABLE t ADD PRIMARY KEY (c, a) INCLUDE (b)", "CREATE UNIQUE INDEX ON t (a)")
        assert unique_keys(cursor, oid) == [
            UniqueKey(["c", "a"], True, True, True),
            UniqueKey(["a"], False, True, True),
        ]
        assert key_among(cursor, oid, COLUMNS) == ["c", "a"]
        assert key_among(cursor, oid, ["a", "b"]) == ["a"], "the primary key is not among these"
        cursor.execute(f"SELECT {PRIMARY_KEY} FROM {RELATIONS} WHERE c.oid = %s", (oid,))
        assert cursor.fetchone() == (["c", "a"],)


def test_a_table_without_a_primary_key(connection: Any) -> None:
    with connection.cursor() as cursor:
        oid = made(cursor)
        assert unique_keys(cursor, oid) == []
        assert key_among(cursor, oid, COLUMNS) is None
        cursor.execute(f"SELECT {PRIMARY_KEY} FROM {RELATIONS} WHERE c.oid = %s", (oid,))
        assert cursor.fetchone() == ([],)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON t (a)",
        "CREATE UNIQUE INDEX ON t (a) WHERE b > 0",
        "CREATE UNIQUE INDEX ON t ((a + 1))",
        "CREATE UNIQUE INDEX ON t (a, (b + 1))",
        "CREATE UNIQUE INDEX i ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
    ],
)
def test_an_index_that_lets_equal_rows_in_is_no_key(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        oid = made(cursor, "ALTER TABLE t ALTER a SET NOT NULL, ALTER b SET NOT NULL", statement)
        assert unique_keys(cursor, oid) == []


@pytest.mark.parametrize(
    ("statement", "key"),
    [
        ("CREATE UNIQUE INDEX ON t (a)", UniqueKey(["a"], False, True, False)),
        ("ALTER TABLE t ALTER b SET NOT NULL, ADD UNIQUE (a, b)", UniqueKey(["a", "b"], False, True, False)),
        ("ALTER TABLE t ADD PRIMARY KEY (a) DEFERRABLE", UniqueKey(["a"], True, False, True)),
    ],
)
def test_a_key_that_tells_rows_apart_not_always(connection: Any, statement: str, key: UniqueKey) -> None:
    with connection.cursor() as cursor:
        oid = made(cursor, statement)
        assert unique_keys(cursor, oid) == [key]
        assert key_among(cursor, oid, COLUMNS) is None


def test_of_several_the_one_with_the_fewest_columns(connection: Any) -> None:
    with connection.cursor() as cursor:
        oid = made(
            cursor,
            "ALTER TABLE t ALTER a SET NOT NULL, ALTER b SET NOT NULL, ALTER c SET NOT NULL",
            "CREATE UNIQUE INDEX ON t (a, b)",
            "CREATE UNIQUE INDEX ON t (c)",
        )
        assert key_among(cursor, oid, COLUMNS) == ["c"]
