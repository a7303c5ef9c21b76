# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which paths a migration or its rollback changed in the database, kept until the files on disk have followed.

They are found by comparing the column before and after the script, in the script's own transaction: so they need no
convention about how a migration keeps its old names, a rollback changes exactly the rows that its script changed,
and there is no moment at which the new paths are committed and the list of them is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ledger.upgrade import upgrade
from ..postgres.answers import has_relation, one_row
from ..postgres.connection import sql
from ..shapes import Cursor, FilesBehind
from .path_column import PathColumn, has_table

__all__ = ["PathsBefore", "changes_since", "files_behind", "has_path_changes", "versions_behind"]


class PathsBefore:
    """The paths as they are before a script, and what the script makes of them.

    Args:
        cursor: of the transaction in which the script is going to run. Writers of the table wait from here on until
            its end: a path that somebody else changes in between would be taken for one of the script's.
        names: see PathColumn.

    Raises:
        StepFailed: the column cannot be followed (see PathColumn).
    """

    def __init__(self, cursor: Cursor, names: Sequence[str]) -> None:
        self.column = PathColumn(cursor, names)
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(self.column.table))
        cursor.execute("DROP TABLE IF EXISTS pg_temp.runbook_paths_before")
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE runbook_paths_before ON COMMIT DROP AS"
                " SELECT {key} AS file, {column} AS path FROM {table}"
            ).format(key=self.column.key, column=self.column.column, table=self.column.table)
        )

    def record_changes(self, cursor: Cursor, run_id: str, migration: str, direction: str) -> int:
        """Write down which paths the script has changed.

        Args:
            cursor: of the same transaction, after the script.
            run_id: name of the run.
            migration: version.
            direction: "deploy" or "rollback".

        Returns:
            How many.
        """
        upgrade(cursor)
        if not has_table(cursor, self.column.names):
            # A rollback that drops the table says nothing about where the files are to be.
            return 0
        cursor.execute(
            "INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
            " VALUES (%s, %s, %s, %s, 0) RETURNING set_id",
            (run_id, migration, direction, self.column.names),
        )
        set_id = one_row(cursor)[0]
        cursor.execute(
            sql.SQL(
                "INSERT INTO runbook.path_change SELECT {set_id}, b.file, b.path, f.{column}"
                " FROM {table} f JOIN pg_temp.runbook_paths_before b ON b.file = {key} WHERE b.path <> f.{column}"
            ).format(
                # No parameters: a percent sign in a name would be taken for one.
                set_id=sql.Literal(set_id),
                column=self.column.column,
                table=self.column.table,
                key=self.column.key,
            )
        )
        changes = cursor.rowcount
        cursor.execute(
            "UPDATE runbook.path_change_set SET changes = %s, closed = CASE WHEN %s = 0 THEN clock_timestamp() END"
            " WHERE set_id = %s",
            (changes, changes, set_id),
        )
        cursor.execute("DROP TABLE pg_temp.runbook_paths_before")
        return changes


def has_path_changes(cursor: Cursor) -> bool:
    """Whether the ledger has its tables of changed paths; an older one, or none, has not."""
    return has_relation(cursor, "runbook.path_change")


def changes_since(cursor: Cursor, position: int) -> dict[str, int]:
    """Paths that migrations and rollbacks have changed since a receipt of the ledger.

    Args:
        cursor: of the database.
        position: of the receipt.

    Returns:
        column (``schema.table.column``) -> number of paths.
    """
    if not has_path_changes(cursor):
        return {}
    cursor.execute(
        "SELECT array_to_string(s.path_column, '.'), sum(s.changes)::bigint FROM runbook.path_change_set s"
        " WHERE s.changes > 0 AND EXISTS (SELECT FROM runbook.receipt r WHERE r.run_id = s.run_id"
        " AND r.migration = s.migration AND r.status = 'ok' AND r.position > %s) GROUP BY 1 ORDER BY 1",
        (position,),
    )
    return dict(cursor.fetchall())


def files_behind(cursor: Cursor) -> list[FilesBehind]:
    """What the files on disk have not followed on every host, oldest first."""
    if not has_path_changes(cursor):
        return []
    cursor.execute(
        "SELECT migration, direction, run_id, changes, followed_on FROM runbook.path_change_set"
        " WHERE closed IS NULL AND direction <> 'rehearsed' ORDER BY set_id"
    )
    return [
        FilesBehind(
            migration=migration, direction=direction, run_id=run_id, changes=changes, followed_on=followed_on
        )
        for migration, direction, run_id, changes, followed_on in cursor.fetchall()
    ]


def versions_behind(cursor: Cursor) -> list[str]:
    """Migrations whose changes the files on disk have not followed on every host, oldest first, each once."""
    return list(dict.fromkeys(behind["migration"] for behind in files_behind(cursor)))
