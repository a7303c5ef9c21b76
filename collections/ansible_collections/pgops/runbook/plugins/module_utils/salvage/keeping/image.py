# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of a table before something changes them, and what of them is not there any more afterwards."""

from __future__ import annotations

from typing import NamedTuple

from ...content.row_digest import sums_as_text
from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor, Json
from ..key import Key, numbered_rows, record
from ..store.rows import keep_rows, keep_untouched

__all__ = ["LeftTable", "RowImage"]


class LeftTable(NamedTuple):
    """A table as it was left: it may have got another name, and so may its columns.

    Attributes:
        name: (schema, name).
        partitioned: whether it is the parent of partitions.
        columns: those of the image, in its order, as they are called now.
    """

    name: tuple[str, str]
    partitioned: bool
    columns: list[str]


class RowImage:
    """A copy of the rows, in a temporary table; as text: a column of its own type would hold on to the type.

    Args:
        cursor: of the transaction, with pinned settings.
        label: of the copy, to tell several apart.
        name: (schema, name) of the table.
        partitioned: whether it is the parent of partitions.
        columns: names, in the order in which they are kept.
        key: Key, of some of them.
    """

    def __init__(
        self,
        cursor: Cursor,
        label: int | str,
        name: tuple[str, str],
        partitioned: bool,
        columns: list[str],
        key: Key,
    ) -> None:
        self.cursor = cursor
        self.columns = columns
        self.key = key
        self.image = sql.Identifier("pg_temp", f"runbook_image_{label}")
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS {}").format(
                self.image, numbered_rows(name, partitioned, key, columns, parts=_parts(columns))
            )
        )

    def _key_now(self, left: LeftTable) -> Key:
        names = [left.columns[self.columns.index(name)] for name in self.key.columns]
        return Key(names, self.key.unique)

    def _present(self, left: LeftTable, **more: sql.Composable) -> sql.Composable:
        return numbered_rows(left.name, left.partitioned, self._key_now(left), left.columns, **more)

    def facts(self, left: LeftTable) -> Json:
        """What an item must know of the table as it was left, to tell later who changed it.

        Args:
            left: LeftTable.

        Returns:
            dict for the facts of the item.
        """
        digest = None
        if not self.key.unique:
            self.cursor.execute(
                sql.SQL("SELECT {} FROM ({}) AS rows").format(sums_as_text(), self._present(left))
            )
            digest = one_row(self.cursor)[0]
        return {
            "unique_key": self.key.unique,
            "left_table": left.name,
            "left_columns": left.columns,
            "left_key_columns": self._key_now(left).columns,
            "left_digest": digest,
        }

    def count_gone(self, left: LeftTable) -> int:
        """How many rows are not there any more as they were."""
        self.cursor.execute(
            sql.SQL(
                "SELECT count(*) FROM (SELECT line FROM {} EXCEPT ALL SELECT line FROM ({}) AS now) AS gone"
            ).format(self.image, self._present(left))
        )
        return one_row(self.cursor)[0]

    def keep_changed(self, item: int, left: LeftTable, only_changed_columns: bool) -> None:
        """Enter the old version of every row that was changed or deleted into an item.

        Without a key no row can be told from its successor: then all rows are entered, and go back as a whole.

        Args:
            item: its number.
            left: LeftTable.
            only_changed_columns: whether only the changed columns of a row that is still there count.
        """
        rows = sql.SQL(
            "SELECT was.key, was.occurrence, was.line, CASE WHEN present.key IS NOT NULL AND {in_parts} THEN"
            " ARRAY(SELECT c.name FROM unnest({names}, was.parts, present.parts) AS c (name, was, now)"
            " WHERE c.was <> c.now) END AS changed, md5(present.line) AS left_digest"
            " FROM {image} was LEFT JOIN ({present}) AS present USING (key, occurrence) WHERE {which}"
        ).format(
            which=sql.SQL("present.line IS DISTINCT FROM was.line" if self.key.unique else "true"),
            in_parts=sql.Literal(self.key.unique and only_changed_columns),
            names=sql.Literal(self.columns),
            image=self.image,
            present=self._present(left, parts=_parts(left.columns)),
        )
        keep_rows(
            self.cursor,
            item,
            rows,
            columns=sql.Identifier("changed"),
            left_digest=sql.Identifier("left_digest"),
        )

    def note_untouched(self, item: int, changed: int) -> None:
        """Enter the digests of the other rows: as they are now they were before, and shall be so again.

        Args:
            item: its number.
            changed: number of the item of keep_changed().
        """
        rows = sql.SQL("SELECT key, occurrence, line FROM {}").format(self.image)
        keep_untouched(self.cursor, item, rows, changed)

    def drop(self) -> None:
        self.cursor.execute(sql.SQL("DROP TABLE {}").format(self.image))


def _parts(columns: list[str]) -> sql.Composable:
    """SQL: an array with each column as a text of its own, NULL told from the empty string."""
    return sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(record([name]) for name in columns))
