# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The column of paths that a migration's header names: one row a file, told apart by the primary key."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ..errors import StepFailed
from ..postgres.application_tables import RELATIONS
from ..postgres.columns import columns_of
from ..postgres.connection import sql
from ..postgres.keys import PRIMARY_KEY
from ..postgres.script_session import relation_oid
from ..postgres.values import text_of
from ..shapes import Connection, Cursor

__all__ = ["PathColumn", "has_table", "stream_rows"]

ROWS_A_FETCH = 5000


class PathColumn:
    """A column of paths, one row a file, each row known by its primary key.

    Args:
        cursor: of the transaction in which it is used.
        names: schema (may be left out), table and column.

    Attributes:
        names: schema, table and column.
        table, column: SQL identifiers.
        key: SQL expression, the primary key as text.

    Raises:
        StepFailed: the table has no such column of text, or no primary key.
    """

    def __init__(self, cursor: Cursor, names: Sequence[str]) -> None:
        shown = ".".join(names)
        # As the migration finds it.
        cursor.execute(
            f"SELECT n.nspname, c.relname, c.oid::bigint, {PRIMARY_KEY} FROM {RELATIONS} WHERE c.oid = %s",
            (relation_oid(cursor, sql.Identifier(*names[:-1]).as_string(cursor)),),
        )
        schema, table, oid, key = cursor.fetchone() or ("", "", 0, [])
        columns = {column.name: column for column in columns_of(cursor, oid)}
        found = columns[names[-1]].type_name if names[-1] in columns else None
        if found not in ("text", "varchar"):
            what = f"it is of type {found}, not text" if found else "there is no such column"
            raise StepFailed(
                "path_column_unusable",
                f"The header says '-- Files: rename {shown}', but {what}. Correct the header.",
            )
        # With its schema: the library's host may connect as a role with another search_path.
        self.names: list[str] = [schema, table, names[-1]]
        self.table = sql.Identifier(schema, table)
        self.column = sql.Identifier(names[-1])
        if not key:
            raise StepFailed(
                "path_column_unusable",
                f"The header says '-- Files: rename {shown}', but the table has no primary key, so that nothing tells"
                " which row is which file. Give it one.",
            )
        self.key = _key_as_text(key, {name for name in key if columns[name].own_type})


def _key_as_text(names: Sequence[str], own_types: Collection[str]) -> sql.Composable:
    """SQL: the key as one text; ``own_types`` are those of its columns whose types the application has made."""
    if len(names) == 1:
        return text_of(sql.Identifier(names[0]), names[0] in own_types)
    parts = [
        text_of(sql.Identifier(name), own_type=True) if name in own_types else sql.Identifier(name)
        for name in names
    ]
    return sql.SQL("jsonb_build_array({})::text").format(sql.SQL(", ").join(parts))


def has_table(cursor: Cursor, names: Sequence[str]) -> bool:
    """Whether the table of a column is there; ``names`` as in PathColumn."""
    return relation_oid(cursor, sql.Identifier(*names[:-1]).as_string(cursor)) is not None


def stream_rows(connection: Connection, query: sql.Composable) -> Iterator[tuple[Any, ...]]:
    """Rows of a query, a few thousand in memory at a time, all of one snapshot."""
    with connection.cursor(name="runbook_paths") as cursor:
        cursor.itersize = ROWS_A_FETCH
        cursor.execute(query)
        yield from cursor
