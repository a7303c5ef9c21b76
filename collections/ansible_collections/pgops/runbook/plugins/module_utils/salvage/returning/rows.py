# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing the kept rows of one item into their table, as many as go without overwriting anybody.

The kept records are read, once, into the types that the table has now, and each is told the row that it belongs to.
What is written after that are single statements by number and place, so that a few rows that do not go can be found
among many without a look at the whole table for each.
"""

from __future__ import annotations

from ...postgres.bisect import NotTaken, in_parts, savepoint
from ...postgres.connection import sql
from ...postgres.tables import nulls_allowed
from ..key import Key, numbered_rows
from ..sequences import advance_sequences_of
from ..sources import SOURCE_CHANGED
from ..store.items import COLUMNS, DELETED, ROWS, SalvageStore
from .brought_again import BroughtRows
from .parents import (
    PARENT_GONE,
    PARENT_IS_ANOTHER,
    VALUES_TAKEN,
    kept_value,
    parent_is_another,
    parent_missing,
)

__all__ = ["RowReturn"]

ROW_GONE = "its row is gone"
OTHER_VALUE = "it is back, but its table has types that do not hold its values as they were"


class RowReturn:
    """The rows of one item on their way back; what has no place is held back with the reason.

    Args:
        cursor: of the transaction, with pinned settings and immediate constraints.
        version: the migration.
        item: as SalvageStore.open_items() gives it, of a kind that has rows of a table.
        table: Table that they go into, which has the item's columns.
    """

    def __init__(self, cursor, version, item, table):
        self.cursor = cursor
        self.item = item
        self.table = table
        self.store = SalvageStore(cursor)
        self.key = Key(item["key_columns"], item["facts"]["unique_key"])
        # Without a key to tell its rows apart the item is the whole content of the table.
        self.replaces = item["kind"] == ROWS and not self.key.unique
        self.rows = sql.Identifier("pg_temp", f"runbook_row_{item['item']}")
        self.shape = sql.Identifier("pg_temp", f"runbook_shape_{item['item']}")
        self.brought = BroughtRows(cursor, version, item, table, self.rows)

    def put_back(self):
        """All of it, for an item that waits for no other."""
        self.read()
        self.hold_back_orphans()
        self.write()
        self.close()

    # Reading ---------------------------------------------------------------------------------------------

    def read(self):
        """Read the kept records, and find the row of each and the one that this deploy brought in its stead."""
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
                self.shape,
                sql.SQL(", ").join(map(sql.Identifier, self.item["columns"])),
                sql.Identifier(*self.table.name),
            )
        )
        self.cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} (number bigint PRIMARY KEY, key text, occurrence bigint, columns text[],"
                " kept text, shape {}, place tid, partition oid, differs boolean, written boolean)"
            ).format(self.rows, self.shape)
        )
        self.cursor.execute(
            "SELECT min(number), max(number) FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL",
            (self.item["item"],),
        )
        self.range = self.cursor.fetchone()
        if self.range[0] is not None:
            self._hold_back(in_parts(self.cursor, self._read, *self.range))
            self.cursor.execute(sql.SQL("ANALYZE {}").format(self.rows))
        if not self.replaces:
            self._find_places()
            self.brought.find(self._now())
            if self.item.get("sources_changed"):
                self._hold_back_numbers(SOURCE_CHANGED, self.brought.made_of_something_else())

    def _read(self, low, high):
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO {} SELECT number, key, occurrence, columns, kept, CAST(kept AS {}), NULL, NULL, true,"
                " false FROM runbook_salvage.kept_row"
                " WHERE item = %s AND held_back IS NULL AND number BETWEEN %s AND %s ORDER BY number"
            ).format(self.rows, self.shape),
            (self.item["item"], low, high),
        )

    def _now(self):
        """SQL query for the rows of the table: key, occurrence, line, place, partition."""
        return numbered_rows(self.table.name, self.table.partitioned, self.key, self.item["columns"])

    def _find_places(self):
        self.cursor.execute(
            sql.SQL(
                "UPDATE {} k SET place = now.place, partition = now.partition, differs = k.kept <> now.line"
                " FROM ({}) AS now WHERE now.key = k.key AND now.occurrence = k.occurrence"
            ).format(self.rows, self._now())
        )

    # Writing ---------------------------------------------------------------------------------------------

    def write(self):
        """All at once where that goes, else in parts, over and over as long as that brings rows back."""
        self.cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(self.rows))
        if not self.cursor.fetchone()[0]:
            return
        for attempt in (self._write, self._clear_and_write):
            try:
                with savepoint(self.cursor):
                    attempt(*self.range)
                return
            except NotTaken as failure:
                if self.replaces:
                    self.store.hold_back(self.item["item"], failure.reason)
                    return
        before, failing = None, in_parts(self.cursor, self._write, *self.range)
        while failing and len(failing) != before:
            before, failing = len(failing), in_parts(self.cursor, self._write, *self.range)
        self._hold_back(failing)

    def _write(self, low, high):
        """Write what waits of a range."""
        if self.replaces:
            self.cursor.execute(sql.SQL("DELETE FROM {}").format(self.table.identifier()))
        if self.item["kind"] == DELETED:
            self.brought.delete_again(low, high)
        else:
            if not self.replaces:
                self.brought.take_over(low, high, self._settable())
            self._update(low, high)
            if self.item["kind"] != COLUMNS:
                self._insert(low, high)
        self.cursor.execute(
            sql.SQL("UPDATE {} SET written = true WHERE NOT written AND number BETWEEN %s AND %s").format(
                self.rows
            ),
            (low, high),
        )

    def _clear_and_write(self, low, high):
        """Unique values that have changed places are taken out of all rows before the first is set."""
        unique = {name for columns in self.table.unique_columns for name in columns}
        names = [name for name in self._settable() if name in unique and name not in self.key.columns]
        with nulls_allowed(self.cursor, self.table, names):
            if names:
                self.cursor.execute(
                    sql.SQL("UPDATE {} t SET {} FROM {} k WHERE {}").format(
                        self.table.identifier(),
                        self._assignments(names, lambda name: sql.NULL),
                        self.rows,
                        self._waiting(low, high),
                    )
                )
                self._find_places()
            self._write(low, high)

    def _settable(self):
        return [name for name in self.item["columns"] if name not in self.table.always_identity]

    @staticmethod
    def _waiting(low, high):
        """SQL condition: kept row k belongs to row t, and is in the range."""
        return sql.SQL(
            "k.number BETWEEN {} AND {} AND NOT k.written AND k.differs"
            " AND t.ctid = k.place AND t.tableoid = k.partition"
        ).format(sql.Literal(low), sql.Literal(high))

    def _update(self, low, high):
        settable = self._settable()
        if settable:
            self.cursor.execute(
                sql.SQL("UPDATE {} t SET {} FROM {} k WHERE {}").format(
                    self.table.identifier(),
                    self._assignments(settable, kept_value),
                    self.rows,
                    self._waiting(low, high),
                )
            )

    @staticmethod
    def _assignments(names, value):
        """SQL: a new value for each of the columns that count in the kept row k, the others as they are in row t."""
        return sql.SQL(", ").join(
            sql.SQL(
                "{name} = CASE WHEN k.columns IS NULL OR {label} = ANY (k.columns) THEN {value} ELSE t.{name} END"
            ).format(name=sql.Identifier(name), label=sql.Literal(name), value=value(name))
            for name in names
        )

    def _insert(self, low, high):
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {rows} k"
                " WHERE k.number BETWEEN {low} AND {high} AND NOT k.written AND k.place IS NULL AND k.columns IS NULL"
                " ORDER BY k.number"
            ).format(
                # INSERT knows no ONLY.
                table=sql.Identifier(*self.table.name),
                columns=sql.SQL(", ").join(map(sql.Identifier, self.item["columns"])),
                values=sql.SQL(", ").join(map(kept_value, self.item["columns"])),
                rows=self.rows,
                low=sql.Literal(low),
                high=sql.Literal(high),
            )
        )

    # What stays ------------------------------------------------------------------------------------------

    def hold_back_orphans(self, coming=()):
        """Hold back rows whose parent is gone; a parent among the rows themselves is not asked for.

        Args:
            coming: tables whose rows are on their way back too.
        """
        # What is to be deleted again needs no parent.
        if self.item["kind"] == DELETED:
            return
        for constraint in self.table.foreign_keys:
            self._take_out(
                sql.SQL("DELETE FROM {} k WHERE {} RETURNING number").format(
                    self.rows, parent_is_another(self.item, constraint)
                ),
                PARENT_IS_ANOTHER.format(".".join(constraint.parent)),
            )
        for constraint in self.table.foreign_keys:
            if constraint.parent != self.table.name and constraint.parent not in coming:
                self._take_out(
                    sql.SQL("DELETE FROM {} k WHERE {} RETURNING number").format(
                        self.rows, parent_missing(self.item, constraint)
                    ),
                    PARENT_GONE.format(".".join(constraint.parent)),
                )

    def prune(self, parents):
        """Take rows out again that were brought back and whose parent, in one of these tables, was not.

        Returns:
            int: how many.
        """
        pruned = 0
        for constraint in self.table.foreign_keys:
            if constraint.parent in parents:
                pruned += self._take_out(
                    sql.SQL(
                        "WITH missing AS (DELETE FROM {rows} k WHERE k.place IS NULL AND {missing}"
                        " RETURNING number, key, occurrence),"
                        " gone AS (DELETE FROM {table} t USING missing JOIN ({now}) AS now"
                        " USING (key, occurrence) WHERE t.ctid = now.place AND t.tableoid = now.partition)"
                        " SELECT number FROM missing"
                    ).format(
                        rows=self.rows,
                        missing=parent_missing(self.item, constraint),
                        table=self.table.identifier(),
                        now=self._now(),
                    ),
                    PARENT_GONE.format(".".join(constraint.parent)),
                )
        return pruned

    def _take_out(self, statement, reason):
        self.cursor.execute(statement)
        numbers = [number for (number,) in self.cursor.fetchall()]
        if numbers:
            self.store.hold_back(self.item["item"], reason, numbers)
        return len(numbers)

    def _hold_back(self, failing):
        """Of number -> NotTaken; what is held back is not written any more."""
        reasons = {}
        for number, failure in failing.items():
            reason = VALUES_TAKEN if failure.values_taken else failure.reason
            reasons.setdefault(reason, []).append(number)
        for reason, numbers in reasons.items():
            self._hold_back_numbers(reason, numbers)

    def _hold_back_numbers(self, reason, numbers):
        self.store.hold_back(self.item["item"], reason, numbers)
        self.cursor.execute(sql.SQL("DELETE FROM {} WHERE number = ANY (%s)").format(self.rows), (numbers,))

    def close(self):
        """Look whether all that was written is there as it was kept; forget what is."""
        if self.item["kind"] != DELETED:
            self.cursor.execute(
                sql.SQL(
                    "UPDATE runbook_salvage.kept_row SET held_back = found.reason FROM (SELECT k.number, CASE"
                    " WHEN now.place IS NULL THEN {absent}"
                    " WHEN {whole} AND k.columns IS NULL AND now.line <> k.kept THEN {other} END AS reason"
                    " FROM runbook_salvage.kept_row k LEFT JOIN ({now}) AS now USING (key, occurrence)"
                    " WHERE k.item = {item} AND k.held_back IS NULL) AS found"
                    " WHERE kept_row.item = {item} AND kept_row.number = found.number AND found.reason IS NOT NULL"
                ).format(
                    absent=sql.Literal(ROW_GONE if self.item["kind"] == COLUMNS else VALUES_TAKEN),
                    whole=sql.Literal(self.item["kind"] != COLUMNS),
                    other=sql.Literal(OTHER_VALUE),
                    now=self._now(),
                    item=sql.Literal(self.item["item"]),
                )
            )
        self.store.forget_returned(self.item["item"])
        self.brought.close()
        for temporary in (self.rows, self.shape):
            self.cursor.execute(sql.SQL("DROP TABLE {}").format(temporary))
        advance_sequences_of(self.cursor, self.table)
