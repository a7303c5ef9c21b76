# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rehearsal has changed, as files_check reads it from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import Refused, StepFailed
from ..postgres.connection import sql
from ..shapes import Connection, Cursor
from .path_column import PathColumn, stream_rows
from .pending import ChangedPath, PendingChanges, change_sets, changed_paths

__all__ = ["RehearsedChanges"]


class RehearsedChanges(PendingChanges):
    """The changes that a rehearsal made on its copy; in production the rows have the old paths still.

    Args:
        cursor: of a transaction; only reads.
        host: name of the host that holds the files.
        run_id: name of the run.
    """

    rehearsed = True

    def __init__(self, cursor: Cursor, host: str, run_id: str) -> None:
        self.host = host
        self.sets = change_sets(cursor, "direction = 'rehearsed' AND run_id = %s", run_id)

    def check_complete(self, rehearsed: Mapping[str, int]) -> None:
        """Compare them with what the receipt of the rehearsal says.

        Args:
            rehearsed: migration -> number of paths.

        Raises:
            Refused: they are others.
        """
        if {changed["migration"]: changed["changes"] for changed in self.sets} != rehearsed:
            raise Refused(
                "ledger_damaged",
                "The ledger no longer holds the paths that the rehearsal of this run changed, so that nothing tells"
                " whether files can follow. Start a new run.",
            )

    def changes(self, connection: Connection, names: Sequence[str]) -> Iterator[ChangedPath]:
        """Each file whose path will be changed: (file, path now, path where it will be).

        Rows that users have deleted or given another path since the backup are left out: the migration will meet them
        as they are now, and where it will want their files is not known.
        """
        changed = changed_paths(self.ids_of(names))
        column = _column(connection, names)
        if column is None:
            return stream_rows(connection, changed)
        return stream_rows(
            connection,
            sql.SQL(
                "SELECT c.file, c.old_path, c.new_path FROM ({changed}) c JOIN {table} f"
                " ON {key} = c.file AND f.{column} = c.old_path"
            ).format(changed=changed, table=column.table, key=column.key, column=column.column),
        )

    def rows(self, connection: Connection, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """As in PendingChanges; none where the column is still to be made."""
        return super().rows(connection, names) if _column(connection, names) else iter(())


def _column(connection: Connection, names: Sequence[str]) -> PathColumn | None:
    """The column of paths in production, or None where an earlier migration of the run is going to make it."""
    with connection.cursor() as cursor:
        try:
            return PathColumn(cursor, names)
        except StepFailed:
            return None
