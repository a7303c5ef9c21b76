# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of one table, and NULLs that it takes for a while."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import (
    ForeignKey,
    Table,
    nulls_allowed,
    table_facts,
)

CHILD = """
    CREATE TABLE parent (a int, b int, PRIMARY KEY (b, a));
    CREATE SCHEMA "Odd";
    CREATE TABLE "Odd"."Child %" (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        x int NOT NULL, y int, gone int,
        twice int GENERATED ALWAYS AS (x * 2) STORED,
        mother int REFERENCES "Odd"."Child %",
        n text CONSTRAINT named NOT NULL,
        UNIQUE (x) INCLUDE (y),
        FOREIGN KEY (y, x) REFERENCES parent (a, b)
    );
    ALTER TABLE "Odd"."Child %" DROP gone;
    CREATE UNIQUE INDEX ON "Odd"."Child %" (n) WHERE x > 1;
"""
NAME = ("Odd", "Child %")


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(CHILD)
        yield cursor


def test_what_can_be_written_and_what_holds(cursor: Any) -> None:
    cursor.execute('SELECT \'"Odd"."Child %"\'::regclass::oid::bigint')
    (oid,) = cursor.fetchone()
    assert table_facts(cursor, NAME) == Table(
        oid,
        NAME,
        False,
        ["id", "x", "y", "mother", "n"],
        ["id"],
        [
            ForeignKey(["mother"], NAME, ["id"]),
            ForeignKey(["y", "x"], ("public", "parent"), ["a", "b"]),
        ],
        [["id"], ["x"]],
    )


def test_rows_of_a_partitioned_table_are_in_its_partitions(cursor: Any) -> None:
    cursor.execute('CREATE TABLE root (a int REFERENCES "Odd"."Child %") PARTITION BY LIST (a)')
    cursor.execute("CREATE TABLE leaf PARTITION OF root FOR VALUES IN (1)")
    root, leaf = table_facts(cursor, ("public", "root")), table_facts(cursor, ("public", "leaf"))
    assert root.identifier().as_string(cursor) == '"public"."root"'
    assert leaf.identifier().as_string(cursor) == 'ONLY "public"."leaf"'
    assert (len(root.foreign_keys), leaf.foreign_keys) == (1, []), (
        "the partition's follows the one of its parent"
    )


@pytest.mark.parametrize("name", [("public", "nothing"), ("public", "parent_pkey"), ("Odd", "child %")])
def test_what_is_no_table_has_no_facts(cursor: Any, name: tuple[str, str]) -> None:
    assert table_facts(cursor, name) is None


def test_nulls_are_taken_for_a_while_and_the_constraint_is_as_it_was(cursor: Any) -> None:
    query = (
        "SELECT a.attname, a.attnotnull, f.conname FROM pg_attribute a LEFT JOIN pg_constraint f"
        " ON f.conrelid = a.attrelid AND f.contype = 'n' AND f.conkey = ARRAY[a.attnum]"
        " WHERE a.attrelid = '\"Odd\".\"Child %%\"'::regclass AND a.attname IN ('x', 'n', 'mother') ORDER BY 1"
    )
    cursor.execute(query, ())
    before = cursor.fetchall()
    insert = 'INSERT INTO "Odd"."Child %" (x) VALUES (NULL)'
    with nulls_allowed(cursor, table_facts(cursor, NAME), ["x", "n", "mother"]):
        cursor.execute(insert)
        cursor.execute('DELETE FROM "Odd"."Child %"')
    cursor.execute(query, ())
    assert cursor.fetchall() == before
    with pytest.raises(psycopg2.errors.NotNullViolation):
        cursor.execute(insert)
