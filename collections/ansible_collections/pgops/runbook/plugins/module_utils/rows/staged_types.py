# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that wait as text, read into the types that their columns have.

A text is cast to what PostgreSQL has itself. To a type that the application has made it is not: the cast may be one of
theirs (see postgres.values). It becomes the only field of a record, which the type's own input function reads.
"""

from __future__ import annotations

from ..postgres.columns import own_type_columns
from ..postgres.connection import sql
from ..shapes import Cursor
from .difference import TableDifference, staged_columns

__all__ = ["StagedTypes"]


class StagedTypes:
    """The types of one table's staged columns.

    Args:
        cursor: of the transaction of the restored database, with a pinned session; temporary tables are made in it.
        difference: what is staged.

    Attributes:
        own: names of the columns whose types the application has made.
    """

    def __init__(self, cursor: Cursor, difference: TableDifference) -> None:
        self._cursor = cursor
        self._table = difference.table
        self._staged = dict(zip(self._table.columns, staged_columns(self._table)))
        self.own = own_type_columns(cursor, sql.Identifier(*self._table.name)) & set(self._staged)
        self._shapes = {name: self._shape(difference.number, name) for name in self.own}

    def _shape(self, number: int, name: str) -> sql.Composable:
        """Make a record of one field; each field apart: a domain in another one may take no NULL."""
        shape = sql.Identifier("pg_temp", f"runbook_type_{number}_{self._staged[name]}")
        self._cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} AS value FROM {} WITH NO DATA"
            ).format(shape, sql.Identifier(name), sql.Identifier(*self._table.name))
        )
        return shape

    def value(self, name: str) -> sql.Composable:
        """SQL: the value of a column of row k."""
        staged = sql.Identifier("k", self._staged[name])
        if name in self.own:
            return sql.SQL("(CAST(ROW({})::text AS {})).value").format(staged, self._shapes[name])
        return sql.SQL("{}::{}").format(staged, sql.SQL(self._table.type_of(name)))
