# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Doing with many rows what some of them do not bear."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.bisect import (
    NotTaken,
    in_parts,
    savepoint,
)


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n int PRIMARY KEY, even int CHECK (even <> 6), half int UNIQUE)")
        cursor.execute("INSERT INTO t VALUES (-1, 0, 21)")
        yield cursor


def insert(cursor: Any, calls: list[tuple[int, int]]) -> Any:
    def action(low: int, high: int) -> None:
        calls.append((low, high))
        cursor.execute("INSERT INTO t SELECT n, n * 2, n * 3 FROM generate_series(%s, %s) AS n", (low, high))

    return action


def test_every_row_but_those_that_the_table_does_not_bear(cursor: Any) -> None:
    calls: list[tuple[int, int]] = []
    failures = in_parts(cursor, insert(cursor, calls), 1, 1000)
    assert {
        number: (failure.values_taken, failure.reason.split(" violates")[0])
        for number, failure in failures.items()
    } == {
        3: (False, 'new row for relation "t"'),
        7: (True, "duplicate key value"),
    }
    cursor.execute("SELECT count(*), count(*) FILTER (WHERE n IN (3, 7)) FROM t")
    assert cursor.fetchone() == (999, 0), "one was there"
    assert len(calls) < 45, "two of a thousand cost two paths of halves"


def test_all_at_once_where_every_row_is_taken(cursor: Any) -> None:
    calls: list[tuple[int, int]] = []
    assert in_parts(cursor, insert(cursor, calls), 10, 500) == {}
    assert calls == [(10, 500)]


def test_a_savepoint_undoes_what_was_done_before_the_row_failed(cursor: Any) -> None:
    with pytest.raises(NotTaken, match="duplicate key"), savepoint(cursor):
        cursor.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (-1)")
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchone() == (1,)


def test_a_lock_that_is_not_to_be_had_is_no_rows_fault(
    server: Any, database: str, cursor: Any, connection: Any
) -> None:
    connection.commit()
    with contextlib.closing(server.connect(database)) as other:
        other.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            in_parts(cursor, insert(cursor, []), 1, 10)
