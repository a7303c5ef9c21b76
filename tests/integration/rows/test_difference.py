# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two tables is found, and staged as the engine that writes rows wants it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.rows.changes import ADDED, CHANGED, DELETED
from ansible_collections.pgops.runbook.plugins.module_utils.rows.copying import copy_rows
from ansible_collections.pgops.runbook.plugins.module_utils.rows.difference import (
    TableDifference,
    bucket_sums,
    find_difference,
    staged_columns,
)
from ansible_collections.pgops.runbook.plugins.module_utils.rows.tables import CommonTable, read_relations

from demo.local_server import LocalServer


@pytest.fixture
def cursors(server: LocalServer, database: str) -> Iterator[tuple[Any, Any]]:
    """Of two connections; both sides are schemas of one database."""
    with (
        contextlib.closing(server.connect(database)) as live,
        contextlib.closing(server.connect(database)) as new,
    ):
        yield live.cursor(), new.cursor()


@pytest.fixture
def compare(cursors: tuple[Any, Any]) -> Callable[..., TableDifference]:
    live, new = cursors

    def compare(columns: str, there: str, here: str) -> TableDifference:
        """Compare two tables with these columns and rows."""
        for schema, rows in (("there", there), ("here", here)):
            live.execute(
                f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.t ({columns}); INSERT INTO {schema}.t {rows}"
            )
        live.connection.commit()
        relations = read_relations(new)
        one, other = relations["there", "t"], relations["here", "t"]
        table = CommonTable(one, other, tuple(other.columns), other.key, ())
        return find_difference(live, new, table)

    return compare


def rows_of(cursor: Any, found: TableDifference) -> list[tuple[Any, ...]]:
    """Kind, the values that the live table has, and the row that is at the place."""
    cursor.execute(
        sql.SQL(
            "SELECT k.kind, {}, t::text, k.written FROM {} k LEFT JOIN here.t t"
            " ON t.ctid = k.place AND t.tableoid = k.partition ORDER BY k.kind, 2, 3, 4"
        ).format(sql.SQL(", ").join(map(sql.Identifier, staged_columns(found.table))), found.changes)
    )
    return cursor.fetchall()


def test_rows_with_a_key_are_added_changed_or_deleted(cursors: Any, compare: Any) -> None:
    found = compare(
        "id int PRIMARY KEY, name text",
        "VALUES (1, 'same'), (2, 'new'), (3, NULL), (4, 'more')",
        "VALUES (1, 'same'), (2, 'old'), (3, ''), (5, 'less')",
    )
    assert (found.counts, found.total()) == ({ADDED: 1, CHANGED: 2, DELETED: 1}, 4)
    assert rows_of(cursors[1], found) == [
        (ADDED, "4", "more", None, False),
        (CHANGED, "2", "new", "(2,old)", False),
        (CHANGED, "3", None, '(3,"")', False),
        (DELETED, None, None, "(5,less)", False),
    ]
    cursors[1].execute(sql.SQL("SELECT array_agg(number ORDER BY number) FROM {}").format(found.changes))
    assert cursors[1].fetchone() == ([1, 2, 3, 4],)
    cursors[1].execute(sql.SQL("SELECT count(*) FROM {}").format(found.staged))
    assert cursors[1].fetchone() == (0,), "the staged rows need no room any more"


def test_equal_rows_without_a_key_are_as_many(cursors: Any, compare: Any) -> None:
    found = compare(
        "who text", "VALUES ('a'), ('a'), ('a'), ('b'), (NULL)", "VALUES ('a'), ('b'), ('b'), (NULL)"
    )
    assert rows_of(cursors[1], found) == [
        (ADDED, "a", None, False),
        (ADDED, "a", None, False),
        (DELETED, None, "(b)", False),
    ]


def test_of_equal_tables_no_row_is_sent(cursors: Any, compare: Any) -> None:
    rows = "SELECT n, 'x' || n FROM generate_series(1, 100) n"
    found = compare("id int PRIMARY KEY, name text", rows, f"{rows} ORDER BY n DESC")
    assert found.total() == 0
    cursors[1].execute("SELECT to_regclass(%s)", (found.staged.as_string(cursors[1]),))
    assert cursors[1].fetchone() == (None,)


def test_only_rows_of_buckets_that_differ_are_read(cursors: Any, compare: Any) -> None:
    rows = "SELECT n, 'x' || n FROM generate_series(1, 20000) n"
    found = compare(
        "id int PRIMARY KEY, name text", rows, rows.replace("'x' || n", "nullif('x' || n, 'x77')")
    )
    assert found.counts == {ADDED: 0, CHANGED: 1, DELETED: 0}
    there, here = (bucket_sums(cursors[1], found.table, one) for one in (found.table.live, found.table.new))
    assert sum(there[bucket] != here[bucket] for bucket in there) == 1


def test_of_two_errors_of_a_copy_the_cause_is_told(cursors: Any) -> None:
    live, new = cursors
    new.execute("CREATE TEMPORARY TABLE target (n int)")
    query = sql.SQL("COPY (SELECT 1 / (n - 5000) FROM generate_series(1, 9000) n) TO STDOUT")
    with pytest.raises(psycopg2.errors.DivisionByZero):
        copy_rows(live, query, new, sql.SQL("COPY target FROM STDIN"))
    live.connection.rollback()
    new.connection.rollback()
    new.execute("CREATE TEMPORARY TABLE target (n int CHECK (n < 5000))")
    query = sql.SQL("COPY (SELECT n FROM generate_series(1, 9000000) n) TO STDOUT")
    with pytest.raises(psycopg2.errors.CheckViolation):
        copy_rows(live, query, new, sql.SQL("COPY target FROM STDIN"))
