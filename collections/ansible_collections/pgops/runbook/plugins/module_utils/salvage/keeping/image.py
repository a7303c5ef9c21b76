# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of a table as they are before something changes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor, TableName
from ..defaults import written_since
from ..identity import Identity
from ..key import fields, numbered_rows, record

__all__ = ["TableImage"]


class TableImage:
    """A copy of the rows, in a temporary table; as text: a column of its own type would hold on to the type.

    Args:
        cursor: of the transaction, with pinned settings.
        label: of the copy, to tell several apart: the OID of the table, or another name where nobody asks when its
            rows were written.
        name: (schema, name) of the table.
        partitioned: whether it is the parent of partitions.
        columns: names, in the order in which they are kept.
        identity: by which its rows are recognised.
        made: of the columns those that the migration has made, in a table that was there.
        defaults: of these the ones with a literal default, with the value.
    """

    def __init__(
        self,
        cursor: Cursor,
        label: int | str,
        name: TableName,
        partitioned: bool,
        columns: list[str],
        identity: Identity,
        made: Collection[str] = (),
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        self.cursor = cursor
        self.label = label
        self.name = name
        self.partitioned = partitioned
        self.columns = columns
        self.identity = identity
        self.made = made
        self.defaults = dict(defaults or {})
        # To tell them takes the OID of the table.
        self.has_ages = isinstance(label, int)
        self.table = sql.Identifier("pg_temp", f"runbook_image_{label}")
        more = {"written_since": written_since(int(label), made or columns)} if self.has_ages else {}
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS {}").format(self.table, self.rows(**more))
        )
        # By these rows are found; what else there is of them would be sorted to no use.
        cursor.execute(sql.SQL("ANALYZE {} (partition, place, key, occurrence)").format(self.table))

    def rows(self, **more: sql.Composable) -> sql.Composable:
        """SQL query for the rows of the table of that name now: key, occurrence, line and what refers to it.

        Args:
            more: further result columns, SQL expressions by name.
        """
        reference = record(self.identity.assigned) if self.identity.assigned else sql.SQL("NULL::text")
        return numbered_rows(
            self.name, self.partitioned, self.identity.key, self.columns, reference=reference, **more
        )

    def know_by(self, identity: Identity, shape: sql.Composable) -> None:
        """Let its rows have another identity.

        Args:
            shape: SQL identifier of a table with the types of the columns.
        """
        self.identity = identity
        key = fields("theirs", sorted(identity.key.columns))
        occurrence = sql.SQL(
            "1" if identity.key.unique else "row_number() OVER (PARTITION BY {} ORDER BY line)"
        )
        self.cursor.execute(
            sql.SQL(
                "UPDATE {image} i SET key = known.key, occurrence = known.occurrence FROM ("
                "SELECT at, {key} AS key, {occurrence} AS occurrence FROM ("
                "SELECT ctid AS at, line, CAST(line AS {shape}) AS theirs FROM {image} OFFSET 0) AS kept) AS known"
                " WHERE known.at = i.ctid"
            ).format(image=self.table, key=key, occurrence=occurrence.format(key), shape=shape)
        )

    def count_gone(self) -> int:
        """How many rows are not there any more as they were."""
        self.cursor.execute(
            sql.SQL(
                "SELECT count(*) FROM (SELECT line FROM {} EXCEPT ALL SELECT line FROM ({}) AS now) AS gone"
            ).format(self.table, self.rows())
        )
        return one_row(self.cursor)[0]

    def drop(self) -> None:
        self.cursor.execute(sql.SQL("DROP TABLE {}").format(self.table))
