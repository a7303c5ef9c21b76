# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The column of paths: which row is which file is told by the primary key."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.library.path_column import PathColumn
from psycopg2 import sql

from tests.integration.step.hostile_types import types_and_casts


def keys(cursor: Any) -> set[str]:
    column = PathColumn(cursor, ["public", "files", "path"])
    cursor.execute(sql.SQL("SELECT {} FROM {}").format(column.key, column.table))
    return {key for (key,) in cursor.fetchall()}


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("id int PRIMARY KEY, path text", {"1"}),
        ("id int, part int DEFAULT 2, path text, PRIMARY KEY (part, id)", {"[2, 1]"}),
        ("id int, path text, PRIMARY KEY (id) INCLUDE (path)", {"1"}),
    ],
)
def test_a_file_keeps_its_key_when_its_path_changes(
    connection: Any, definition: str, expected: set[str]
) -> None:
    """An index may hold further columns, which are no part of the key."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE files ({definition}); INSERT INTO files (id, path) VALUES (1, '/a')")
        assert keys(cursor) == expected
        cursor.execute("UPDATE files SET path = '/b'")
        assert keys(cursor) == expected


@pytest.mark.parametrize(("key", "expected"), [("id", "a"), ("id, part", '["a", 2]')])
def test_a_key_of_a_type_that_somebody_has_made_is_read_without_their_casts(
    connection: Any, key: str, expected: str
) -> None:
    with connection.cursor() as cursor:
        for statement in ("CREATE SCHEMA app", *types_and_casts("app")):
            cursor.execute(statement)
        cursor.execute(
            f"CREATE TABLE files (id app.mood, part int, path text, PRIMARY KEY ({key}));"
            " INSERT INTO files VALUES ('a', 2, '/a')"
        )
        assert keys(cursor) == {expected}


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("id int, path text", "the table has no primary key"),
        ("id int PRIMARY KEY, path int", "it is of type int4, not text"),
        ("id int PRIMARY KEY", "there is no such column"),
    ],
)
def test_a_column_that_cannot_name_files_is_refused(connection: Any, definition: str, reason: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE files ({definition})")
        with pytest.raises(StepFailed, match=reason):
            PathColumn(cursor, ["public", "files", "path"])
