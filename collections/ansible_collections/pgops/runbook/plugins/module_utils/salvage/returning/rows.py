# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kept rows of one item on their way back into their table, as many as go without overwriting anybody.

The kept records are read, once, into the types that the table has now, and each is told the row that it belongs to.
The engine of ``rows`` writes them; what it cannot write is held back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...postgres.bisect import NotTaken, bisect
from ...postgres.connection import sql
from ...postgres.tables import Table
from ...rows.changes import ADDED, CHANGED, TableChanges
from ...rows.changes import DELETED as TO_DELETE
from ...rows.policies import HOLD_BACK, PARENT_GONE, VALUES_TAKEN
from ...rows.sequences import advance_sequences_of
from ...rows.writing import TableWriter
from ...shapes import Cursor
from ..key import Key, numbered_rows
from ..sources import SOURCE_CHANGED
from ..store.items import COLUMNS, DELETED, ROWS, SalvageStore
from ..store.returning import hold_back_what_differs, range_of_numbers, read_kept
from .brought_again import BroughtAgain
from .parents import PARENT_IS_ANOTHER, kept_value, parent_is_another

__all__ = ["RowReturn"]

ROW_GONE = "its row is gone"
OTHER_VALUE = "it is back, but its table has types that do not hold its values as they were"

# Besides what the engine wants: the columns that count (NULL: all), the record as it was kept, and its values.
WORK_TABLE = """
    CREATE TEMPORARY TABLE {} (number bigint PRIMARY KEY, key text, occurrence bigint, columns text[], kept text,
        shape {}, place tid, partition oid, kind text, written boolean)"""


class RowReturn:
    """The rows of one item on their way back; what has no place is held back with the reason.

    Args:
        cursor: of the transaction, with pinned settings and immediate constraints.
        version: the migration.
        item: as SalvageStore.open_items() gives it, of a kind that has rows of a table.
        table: that they go into, which has the item's columns.
    """

    def __init__(self, cursor: Cursor, version: str, item: dict[str, Any], table: Table) -> None:
        self.cursor = cursor
        self.item = item
        self.table = table
        self.store = SalvageStore(cursor)
        key = Key(item["key_columns"], item["facts"]["unique_key"])
        # Without a key to tell its rows apart the item is the whole content of the table.
        self.replaces = item["kind"] == ROWS and not key.unique
        self.work = sql.Identifier("pg_temp", f"runbook_row_{item['item']}")
        self.shape = sql.Identifier("pg_temp", f"runbook_shape_{item['item']}")
        self.brought = BroughtAgain(cursor, version, item, table, self.work)
        self.changes = TableChanges(
            table=table,
            work=self.work,
            columns=item["columns"],
            settable=[name for name in item["columns"] if name not in table.always_identity],
            value=kept_value,
            now=numbered_rows(table.name, table.partitioned, key, item["columns"]),
            key=key.columns,
            counts=_counts,
        )
        self.writer = TableWriter(cursor, self.changes, HOLD_BACK)

    def put_back(self) -> None:
        """All of it, for an item that waits for no other."""
        self.read()
        self.hold_back_orphans()
        self.write()
        self.close()

    # Reading ---------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read the kept records, and find the row of each and the one that this deploy brought in its stead."""
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
                self.shape,
                sql.SQL(", ").join(map(sql.Identifier, self.item["columns"])),
                sql.Identifier(*self.table.name),
            )
        )
        self.cursor.execute(sql.SQL(WORK_TABLE).format(self.work, self.shape))
        numbers = range_of_numbers(self.cursor, self.item)
        failing = bisect(self.cursor, self._read, numbers)
        self.hold_back({number: HOLD_BACK.reason(failure) for number, failure in failing.items()})
        self.cursor.execute(sql.SQL("ANALYZE {}").format(self.work))
        if not self.replaces:
            self._find_places()
            self.brought.find(self.changes.now)
            if self.item.get("sources_changed"):
                self.hold_back(dict.fromkeys(self.brought.made_of_something_else(), SOURCE_CHANGED))
            self.brought.pair(self.changes.settable)

    def _read(self, low: int, high: int) -> None:
        # Values of columns, and of rows of which only some columns count, have no row of their own to make.
        makes_rows = self.item["kind"] not in (COLUMNS, DELETED)
        kind = sql.SQL("CASE WHEN {} AND columns IS NULL THEN {} END").format(
            sql.Literal(makes_rows), sql.Literal(ADDED)
        )
        read_kept(self.cursor, self.item, self.work, self.shape, kind, low, high)

    def _find_places(self) -> None:
        self.cursor.execute(
            sql.SQL(
                "UPDATE {} k SET place = now.place, partition = now.partition,"
                " kind = CASE WHEN {} AND k.kept <> now.line THEN {} END"
                " FROM ({}) AS now WHERE now.key = k.key AND now.occurrence = k.occurrence"
            ).format(
                self.work,
                sql.Literal(self.item["kind"] != DELETED),
                sql.Literal(CHANGED),
                self.changes.now,
            )
        )

    # Writing ---------------------------------------------------------------------------------------------

    def write(self) -> None:
        if self.replaces:
            try:
                self.writer.replace_all()
            except NotTaken as failure:
                self.store.hold_back(self.item["item"], failure.reason)
        else:
            kinds = (TO_DELETE,) if self.item["kind"] == DELETED else (CHANGED, ADDED)
            self.hold_back(self.writer.write(kinds))
            self.brought.follow()

    # What stays ------------------------------------------------------------------------------------------

    def hold_back_orphans(self, coming: Collection[tuple[str, str]] = ()) -> None:
        """Hold back rows whose parent is gone; a parent among the rows themselves is not asked for.

        Args:
            coming: tables whose rows are on their way back too.
        """
        # What is to be deleted again needs no parent.
        if self.item["kind"] == DELETED:
            return
        for constraint in self.table.foreign_keys:
            self._hold_back_where(
                parent_is_another(self.item, constraint), PARENT_IS_ANOTHER, constraint.parent
            )
        for constraint in self.table.foreign_keys:
            if constraint.parent != self.table.name and constraint.parent not in coming:
                self._hold_back_where(self.changes.parent_missing(constraint), PARENT_GONE, constraint.parent)

    def _hold_back_where(self, condition: sql.Composable, reason: str, parent: tuple[str, str]) -> None:
        self.cursor.execute(sql.SQL("SELECT number FROM {} k WHERE {}").format(self.work, condition))
        reason = reason.format(".".join(parent))
        self.hold_back({number: reason for (number,) in self.cursor.fetchall()})

    def hold_back(self, reasons: dict[int, str]) -> None:
        """Say why rows stay, by number; they are not written any more."""
        by_reason: dict[str, list[int]] = {}
        for number, reason in reasons.items():
            by_reason.setdefault(reason, []).append(number)
        for reason, numbers in by_reason.items():
            self.store.hold_back(self.item["item"], reason, numbers)
        if reasons:
            self.cursor.execute(
                sql.SQL("DELETE FROM {} WHERE number = ANY (%s)").format(self.work), (list(reasons),)
            )

    def close(self) -> None:
        """Look whether all that was written is there as it was kept; forget what is."""
        if self.item["kind"] != DELETED:
            of_columns = self.item["kind"] == COLUMNS
            hold_back_what_differs(
                self.cursor,
                self.item,
                self.changes.now,
                absent=ROW_GONE if of_columns else VALUES_TAKEN,
                other=OTHER_VALUE,
                compared=not of_columns,
            )
        self.store.forget_returned(self.item["item"])
        self.brought.close()
        for temporary in (self.work, self.shape):
            self.cursor.execute(sql.SQL("DROP TABLE {}").format(temporary))
        advance_sequences_of(self.cursor, self.table)


def _counts(name: str) -> sql.Composable:
    """SQL condition: the column counts in row k."""
    return sql.SQL("(k.columns IS NULL OR {} = ANY (k.columns))").format(sql.Literal(name))
