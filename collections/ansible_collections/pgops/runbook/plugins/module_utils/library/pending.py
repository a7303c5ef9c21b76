# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The changed paths that the files of one host have not followed yet, read from the ledger and closed there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..shapes import Connection, Cursor
from .changes import has_path_changes
from .path_column import PathColumn, has_table, stream_rows

__all__ = ["ChangedPath", "PathChangeSet", "PendingChanges", "change_sets", "changed_paths"]

#: (file, path before the first change, path where the file is to be, or None when its row is gone).
ChangedPath = tuple[str, str, "str | None"]

_SETS = "SELECT set_id, migration, direction, path_column, changes FROM runbook.path_change_set"


class PathChangeSet(TypedDict):
    """The paths that one migration or its rollback changed in one column."""

    set_id: int
    migration: str
    #: "deploy" or "rollback"; "rehearsed" for what was changed on a copy only.
    direction: str
    #: Schema, table and column.
    path_column: list[str]
    #: How many paths.
    changes: int


class PendingChanges:
    """The changes that the files of one host have not followed yet.

    Args:
        cursor: of a transaction; only reads.
        host: name of the host that holds the files.

    Attributes:
        sets: what is pending, oldest first.
        rehearsed: whether they were made on a copy only, so that the rows of production have the old paths still.
    """

    rehearsed = False

    def __init__(self, cursor: Cursor, host: str) -> None:
        self.host = host
        self.sets = change_sets(
            cursor,
            "closed IS NULL AND direction <> 'rehearsed' AND NOT %s = ANY (followed_on)",
            host,
        )

    def columns(self) -> list[list[str]]:
        """The columns concerned, each once, with names as in PathColumn."""
        return [
            list(names) for names in dict.fromkeys(tuple(changed["path_column"]) for changed in self.sets)
        ]

    def ids_of(self, names: Sequence[str]) -> list[int]:
        """Numbers of the sets of one column."""
        return [changed["set_id"] for changed in self.sets if changed["path_column"] == names]

    def changes(self, connection: Connection, names: Sequence[str]) -> Iterator[ChangedPath]:
        """Each file whose path was changed, once, however often.

        Where the whole table is gone, a file is to be where the last change put it.
        """
        changed = changed_paths(self.ids_of(names))
        with connection.cursor() as cursor:
            if not has_table(cursor, names):
                return stream_rows(connection, changed)
            column = PathColumn(cursor, names)
        return stream_rows(
            connection,
            sql.SQL(
                "SELECT c.file, c.old_path, f.{column} FROM ({changed}) c LEFT JOIN {table} f ON {key} = c.file"
            ).format(column=column.column, changed=changed, table=column.table, key=column.key),
        )

    def rows(self, connection: Connection, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yields (file, path) of every row; none where the table is gone."""
        with connection.cursor() as cursor:
            if not has_table(cursor, names):
                return iter(())
            column = PathColumn(cursor, names)
        return stream_rows(
            connection,
            sql.SQL("SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL").format(
                key=column.key, column=column.column, table=column.table
            ),
        )

    def has_path(self, cursor: Cursor, names: Sequence[str], path: str) -> bool:
        """Whether a row has this path now."""
        column = PathColumn(cursor, names)
        cursor.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE {column} = {path})").format(
                column=column.column, table=column.table, path=sql.Literal(path)
            )
        )
        return one_row(cursor)[0]

    def close(self, cursor: Cursor, hosts: Iterable[str]) -> None:
        """The files of this host have followed; drops the changes when those of all ``hosts`` have."""
        ids = [changed["set_id"] for changed in self.sets]
        cursor.execute(
            "UPDATE runbook.path_change_set SET followed_on = followed_on || %s::text WHERE set_id = ANY (%s)",
            (self.host, ids),
        )
        cursor.execute(
            "UPDATE runbook.path_change_set SET closed = clock_timestamp()"
            " WHERE set_id = ANY (%s) AND followed_on @> %s RETURNING set_id",
            (ids, list(hosts)),
        )
        closed = [set_id for (set_id,) in cursor.fetchall()]
        cursor.execute("DELETE FROM runbook.path_change WHERE set_id = ANY (%s)", (closed,))


def changed_paths(ids: Sequence[int]) -> sql.Composed:
    """SQL query: file, old_path and new_path of some sets, each file of several sets once."""
    return sql.SQL(
        "SELECT file, (array_agg(old_path ORDER BY set_id))[1] AS old_path,"
        " (array_agg(new_path ORDER BY set_id DESC))[1] AS new_path"
        " FROM runbook.path_change WHERE set_id = ANY ({}::bigint[]) GROUP BY file"
    ).format(sql.Literal(list(ids)))


def change_sets(cursor: Cursor, condition: str, value: object) -> list[PathChangeSet]:
    """Sets for which a condition with one parameter holds, oldest first; none in a ledger that has no such table."""
    if not has_path_changes(cursor):
        return []
    cursor.execute(f"{_SETS} WHERE {condition} ORDER BY set_id", (value,))
    return [
        PathChangeSet(
            set_id=set_id, migration=migration, direction=direction, path_column=names, changes=changes
        )
        for set_id, migration, direction, names, changes in cursor.fetchall()
    ]
