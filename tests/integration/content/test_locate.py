# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which rows and columns differ between two databases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import (
    content_fingerprint,
    stored_tables,
)
from ansible_collections.pgops.runbook.plugins.module_utils.content.locate import (
    CHANGED,
    GONE,
    NEW,
    OTHER,
    LocatedRow,
    LocatedRows,
    locate,
)

TABLE = 'public."Files é"'
COLUMNS = ["id", "name", "size"]


@pytest.fixture
def cursors(server: Any, connection: Any, database: str) -> Iterator[tuple[Any, Any]]:
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


def located(
    cursors: tuple[Any, Any], name: str = TABLE, columns: list[str] = COLUMNS, **options: Any
) -> LocatedRows:
    tables = [next(table for table in stored_tables(cursor) if table.name == name) for cursor in cursors]
    return locate(*cursors, tables, columns, **options)


def digest(cursor: Any, name: str = TABLE) -> str:
    return content_fingerprint(cursor)["tables"][name]["digest"]


def test_nothing_differs(cursors: tuple[Any, Any]) -> None:
    assert located(cursors) == LocatedRows(digest(cursors[0]), ["id"])


def test_changed_missing_and_new_rows_with_their_columns_and_keys(cursors: tuple[Any, Any]) -> None:
    before, after = cursors
    after.execute('UPDATE "Files é" SET name = NULL WHERE id = 7')
    after.execute("UPDATE \"Files é\" SET name = 'x', size = 'NaN' WHERE id = 8")
    after.execute('DELETE FROM "Files é" WHERE id = 4000')
    after.execute("INSERT INTO \"Files é\" VALUES (-1, '', 0)")
    found = located(cursors)
    assert (found.changed, found.gone, found.new) == (2, 1, 1)
    assert found.columns == {"name": 2, "size": 1}
    assert sorted(found.rows, key=lambda row: row.key) == [
        LocatedRow("(-1)", NEW, ()),
        LocatedRow("(4000)", GONE, ()),
        LocatedRow("(7)", CHANGED, ("name",)),
        LocatedRow("(8)", CHANGED, ("name", "size")),
    ]
    assert found.digest_before == digest(before) != digest(after)


def test_the_digest_of_an_empty_table_is_that_of_its_fingerprint(cursors: tuple[Any, Any]) -> None:
    cursors[0].execute('TRUNCATE "Files é"')
    found = located(cursors)
    assert found.digest_before == digest(cursors[0])
    assert found.new == 5000


def test_every_row_counts_but_only_some_keys_are_named(cursors: tuple[Any, Any]) -> None:
    cursors[1].execute('UPDATE "Files é" SET size = size + 1')
    found = located(cursors, limit=10)
    assert found.changed == 5000
    assert found.columns == {"size": 5000}
    assert len(found.rows) == 10


def test_without_a_key_rows_are_counted_and_columns_told_and_no_value_is(cursors: tuple[Any, Any]) -> None:
    for cursor in cursors:
        cursor.execute('ALTER TABLE "Files é" DROP CONSTRAINT "Files é_pkey"')
        cursor.execute("INSERT INTO \"Files é\" SELECT 1, 'same', 1 FROM generate_series(1, 3)")
    cursors[1].execute("INSERT INTO \"Files é\" VALUES (1, 'same', 1), (1, 'same', 1)")
    found = located(cursors)
    assert (found.changed, found.gone, found.new) == (0, 0, 2)
    cursors[1].execute("DELETE FROM \"Files é\" WHERE name = 'same'")
    cursors[0].execute("DELETE FROM \"Files é\" WHERE name = 'same'")
    cursors[1].execute("UPDATE \"Files é\" SET name = 'other' WHERE id IN (5, 6)")
    found = located(cursors)
    assert (found.changed, found.gone, found.new) == (0, 2, 2)
    assert found.columns == {"name": None}
    assert (found.key_columns, found.rows) == ([], [])


def test_a_narrow_unique_key_serves_where_there_is_no_primary_key(cursors: tuple[Any, Any]) -> None:
    for cursor in cursors:
        cursor.execute('ALTER TABLE "Files é" DROP CONSTRAINT "Files é_pkey", ALTER name SET NOT NULL')
        cursor.execute('CREATE UNIQUE INDEX ON "Files é" (name)')
    cursors[1].execute('UPDATE "Files é" SET size = -1 WHERE id = 3')
    found = located(cursors)
    assert found.key_columns == ["name"]
    assert found.rows == [LocatedRow('("file 3")', CHANGED, ("size",))]
    assert located(cursors, columns=["id", "size"]).key_columns == [], "the key is not among the columns"


def test_a_key_that_is_unique_on_one_side_only_still_counts_rows(cursors: tuple[Any, Any]) -> None:
    cursors[0].execute('ALTER TABLE "Files é" DROP CONSTRAINT "Files é_pkey"')
    cursors[0].execute("INSERT INTO \"Files é\" VALUES (5, 'again', 5), (6, 'again', 6)")
    cursors[1].execute("UPDATE \"Files é\" SET name = 'third' WHERE id = 6")
    found = located(cursors)
    assert (found.changed, found.gone, found.new) == (0, 3, 1)
    assert {row.problem for row in found.rows} == {GONE, OTHER}


def test_rows_are_paired_whatever_order_their_keys_have(cursors: tuple[Any, Any]) -> None:
    for cursor in cursors:
        cursor.execute("CREATE TABLE t (k text PRIMARY KEY, v int)")
        cursor.execute("INSERT INTO t SELECT chr(n), n FROM generate_series(32, 9000) AS n ORDER BY random()")
    cursors[1].execute("UPDATE t SET v = -v")
    found = located(cursors, "public.t", ["k", "v"])
    assert (found.changed, found.gone, found.new) == (8969, 0, 0)


def test_of_an_extensions_table_the_rows_that_pg_dump_saves_are_compared(cursors: tuple[Any, Any]) -> None:
    for cursor in cursors:
        cursor.execute("CREATE EXTENSION hstore; CREATE TABLE saved (id int PRIMARY KEY, mine bool)")
        cursor.execute("ALTER EXTENSION hstore ADD TABLE saved")
        cursor.execute(
            "UPDATE pg_extension SET extconfig = ARRAY['saved'::regclass::oid], extcondition = '{WHERE mine}'"
            " WHERE extname = 'hstore'"
        )
    cursors[0].execute("INSERT INTO saved VALUES (1, true), (2, false)")
    found = located(cursors, "public.saved", ["id", "mine"])
    assert (found.gone, found.rows) == (1, [LocatedRow("(1)", GONE, ())])


def test_columns_are_needed(cursors: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="columns"):
        located(cursors, columns=[])
