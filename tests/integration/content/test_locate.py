# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which rows and columns differ between two databases."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import (
    column_digests,
    stored_tables,
)
from ansible_collections.pgops.runbook.plugins.module_utils.content.locate import locate, primary_key

TABLE = ("public", "Files é")
COLUMNS = ["id", "name", "size"]


@pytest.fixture
def cursors(server, connection, database):
    """Cursors of two databases with the same 5000 rows."""
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute('CREATE TABLE "Files é" (id int PRIMARY KEY, name text, size float8)')
            cursor.execute(
                "INSERT INTO \"Files é\" SELECT n, 'file ' || n, n FROM generate_series(1, 5000) AS n"
            )
        connection.commit()
        connection.close()
        with outside.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {database}_b TEMPLATE {database}")
        with (
            contextlib.closing(server.connect(database)) as a,
            contextlib.closing(server.connect(f"{database}_b")) as b,
        ):
            yield a.cursor(), b.cursor()
        with outside.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {database}_b WITH (FORCE)")


def test_nothing_differs(cursors):
    found = locate(*cursors, TABLE, COLUMNS)
    assert found == {"changed": 0, "only_before": 0, "only_after": 0, "columns": {}, "keys": []}


def test_changed_missing_and_new_rows_with_their_columns_and_keys(cursors):
    _, after = cursors
    after.execute('UPDATE "Files é" SET name = NULL WHERE id = 7')
    after.execute("UPDATE \"Files é\" SET name = 'x', size = 'NaN' WHERE id = 8")
    after.execute('DELETE FROM "Files é" WHERE id = 4000')
    after.execute("INSERT INTO \"Files é\" VALUES (-1, '', 0)")
    found = locate(*cursors, TABLE, COLUMNS)
    assert (found["changed"], found["only_before"], found["only_after"]) == (2, 1, 1)
    assert found["columns"] == {"name": 2, "size": 1}
    assert sorted(found["keys"], key=lambda item: item["key"]) == [
        {"key": "(-1)", "problem": "only after", "columns": []},
        {"key": "(4000)", "problem": "only before", "columns": []},
        {"key": "(7)", "problem": "changed", "columns": ["name"]},
        {"key": "(8)", "problem": "changed", "columns": ["name", "size"]},
    ]


def test_every_row_counts_but_only_some_keys_are_named(cursors):
    cursors[1].execute('UPDATE "Files é" SET size = size + 1')
    found = locate(*cursors, TABLE, COLUMNS, limit=10)
    assert found["changed"] == 5000
    assert found["columns"] == {"size": 5000}
    assert len(found["keys"]) == 10


def test_a_table_without_key_is_compared_as_a_bag_of_rows(cursors):
    for cursor in cursors:
        cursor.execute('ALTER TABLE "Files é" DROP CONSTRAINT "Files é_pkey"')
        cursor.execute("INSERT INTO \"Files é\" SELECT 1, 'same', 1 FROM generate_series(1, 3)")
    cursors[1].execute("INSERT INTO \"Files é\" VALUES (1, 'same', 1), (1, 'same', 1)")
    found = locate(*cursors, TABLE, COLUMNS)
    assert (found["changed"], found["only_before"], found["only_after"]) == (0, 0, 2)


def test_a_key_that_is_not_unique_still_counts_rows(cursors):
    for cursor in cursors:
        cursor.execute('ALTER TABLE "Files é" DROP CONSTRAINT "Files é_pkey"')
    cursors[1].execute("INSERT INTO \"Files é\" VALUES (5, 'again', 5)")
    found = locate(*cursors, TABLE, COLUMNS, key_columns=["id"])
    assert (found["changed"], found["only_before"], found["only_after"]) == (0, 0, 1)


def test_rows_are_paired_whatever_order_their_keys_have(cursors):
    for cursor in cursors:
        cursor.execute("CREATE TABLE t (k text PRIMARY KEY, v int)")
        cursor.execute("INSERT INTO t SELECT chr(n), n FROM generate_series(32, 9000) AS n ORDER BY random()")
    cursors[1].execute("UPDATE t SET v = -v")
    found = locate(*cursors, ("public", "t"), ["k", "v"])
    assert (found["changed"], found["only_before"], found["only_after"]) == (8969, 0, 0)


def test_column_digests_tell_the_column(cursors):
    tables = [stored_tables(cursor)[0] for cursor in cursors]
    cursors[1].execute('UPDATE "Files é" SET size = 0.1 WHERE id = 1')
    before, after = (
        column_digests(cursor, table, COLUMNS) for cursor, table in zip(cursors, tables, strict=True)
    )
    assert [name for name in COLUMNS if before[name] != after[name]] == ["size"]


def test_primary_key_in_its_own_order(connection):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int, b int, c int, PRIMARY KEY (c, a) INCLUDE (b))")
        assert primary_key(cursor, ("public", "t")) == ["c", "a"]


def test_columns_are_needed(cursors):
    with pytest.raises(ValueError, match="columns"):
        locate(*cursors, TABLE, [])
