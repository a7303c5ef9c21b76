# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Among many rows those are found that do not go, and only what is about a row counts as its fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.bisect import (
    NotTaken,
    bisect,
    savepoint,
)


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE shelf (id int PRIMARY KEY); INSERT INTO shelf VALUES (1), (2);"
            "CREATE TABLE book (id int PRIMARY KEY, shelf int REFERENCES shelf, title varchar(5) UNIQUE)"
        )
        yield cursor


def insert(cursor: Any, tried: list[tuple[int, int]], rows: str) -> Callable[[int, int], None]:
    def action(low: int, high: int) -> None:
        tried.append((low, high))
        cursor.execute(
            f"INSERT INTO book SELECT * FROM ({rows}) AS r (id, shelf, title) WHERE id BETWEEN %s AND %s",
            (low, high),
        )

    return action


def test_those_that_fail_are_found_with_their_reasons_and_all_others_go(cursor: Any) -> None:
    tried: list[tuple[int, int]] = []
    rows = (
        "SELECT n, CASE n WHEN 500 THEN 9 ELSE 1 END, CASE n WHEN 17 THEN 'longer' ELSE 't' || n END"
        " FROM generate_series(1, 1000) n"
    )
    failing = bisect(cursor, insert(cursor, tried, rows), range(1, 1001))
    assert {number: (one.reason, one.values_taken, one.reference) for number, one in failing.items()} == {
        17: ("value too long for type character varying(5)", False, None),
        500: (
            'insert or update on table "book" violates foreign key constraint "book_shelf_fkey"',
            False,
            'Key (shelf)=(9) is not present in table "shelf".',
        ),
    }
    cursor.execute("SELECT count(*) FROM book")
    assert cursor.fetchone() == (998,)
    assert len(tried) <= 2 * 2 * math.ceil(math.log2(1000)) + 1


def test_values_that_are_taken_are_told_apart(cursor: Any) -> None:
    cursor.execute("INSERT INTO book VALUES (1, 1, 'one')")
    failing = bisect(cursor, insert(cursor, [], "VALUES (2, 1, 'one'), (3, 1, 'three')"), [2, 3])
    assert [(number, one.values_taken, one.reference) for number, one in failing.items()] == [
        (2, True, None)
    ], "and the detail, which quotes the row, is not passed on"


def test_of_numbers_with_gaps_only_those_given_are_tried(cursor: Any) -> None:
    tried: list[tuple[int, int]] = []
    failing = bisect(cursor, insert(cursor, tried, "VALUES (2, 9, 'a'), (70, 9, 'b')"), [2, 70])
    assert (sorted(failing), tried) == ([2, 70], [(2, 70), (2, 2), (70, 70)])
    assert bisect(cursor, insert(cursor, tried, "VALUES (1, 1, 'a')"), []) == {}
    assert len(tried) == 3, "without a number there is nothing to try"


def test_an_error_of_the_moment_is_none_of_the_rows_fault(cursor: Any) -> None:
    cursor.execute("SET LOCAL statement_timeout = '20ms'")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        bisect(cursor, lambda low, high: cursor.execute("SELECT pg_sleep(10)"), range(1, 9))


def test_what_fails_inside_is_undone_also_when_it_is_passed_on(cursor: Any) -> None:
    def inside() -> None:
        cursor.execute("INSERT INTO shelf VALUES (3)")
        with savepoint(cursor):
            cursor.execute("INSERT INTO shelf VALUES (1)")

    with pytest.raises(NotTaken), savepoint(cursor):
        inside()
    cursor.execute("SELECT id FROM shelf ORDER BY id")
    assert cursor.fetchall() == [(1,), (2,)]


def test_a_table_that_cannot_be_altered_yet_is_no_failure_of_the_transaction(cursor: Any) -> None:
    cursor.execute("ALTER TABLE book ALTER CONSTRAINT book_shelf_fkey DEFERRABLE INITIALLY DEFERRED")
    with pytest.raises(NotTaken, match="pending trigger events"), savepoint(cursor):
        cursor.execute("INSERT INTO book VALUES (1, 1, 'one'); ALTER TABLE book ALTER id DROP NOT NULL")
