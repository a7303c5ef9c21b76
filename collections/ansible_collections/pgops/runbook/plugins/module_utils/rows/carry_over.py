# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the live database has that the restored backup has not: counted, and with consent brought over.

Compared are the tables and columns that both have. ``schema_migrations`` stays as it is in the backup: it says which
schema that is. Tables and columns of the live database that the backup does not know are counted and named.
"""

from __future__ import annotations

from typing import Any

from ..errors import known
from ..ledger.versions import VersionTable
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.references import foreign_keys
from ..postgres.session import pin_session
from ..postgres.tables import table_facts
from ..shapes import Cursor
from .changes import CHANGED, TableChanges
from .difference import TableDifference, bucket_sums, find_difference, identified_rows
from .staged_types import StagedTypes
from .tables import CommonTable, Relation, in_common, only_in, read_relations
from .together import write_together

__all__ = ["RowComparison", "refresh_materialized_views", "summary_of_left"]

# How many rows that were left are named; all of them are counted.
LEFT_SHOWN = 20

# A row may be touched once more by the foreign key action of another table; more rounds than that are not needed.
ROUNDS = 4

GIVEN_ANOTHER_VALUE = "something in the restored database gave it another value"
TAKEN_BACK = "something in the restored database took it back"


class RowComparison:
    """The live database beside the restored one, in one transaction each.

    Args:
        live: cursor of the live database; REPEATABLE READ, or nobody writes to it any more.
        new: cursor of the restored one.
        ledger: compare the tables of the ledger instead of the application's.
        known_sums: what sums_of_restored() gave earlier, of a restored database that nobody has written to since.
    """

    def __init__(
        self,
        live: Cursor,
        new: Cursor,
        ledger: bool = False,
        known_sums: list[tuple[CommonTable, dict[int, tuple]]] | None = None,
    ) -> None:
        self.live, self.new = live, new
        versions = [VersionTable(cursor).names() for cursor in (live, new)]
        for cursor in (live, new):
            pin_session(cursor, local=True)
        there, here = read_relations(live, ledger), read_relations(new, ledger)
        for names, relations in zip(versions, (there, here)):
            for key in [key for key in relations if key in names]:
                del relations[key]
        self.tables = in_common(there, here)
        self.only_live = only_in(there, here)
        self.only_new = [one.label for one in only_in(here, there)]
        self.references = foreign_keys(new)
        self._known_sums = known_sums or []

    def sums_of_restored(self) -> list[tuple[CommonTable, dict[int, tuple]]]:
        """Read the restored side, which nobody writes to, before the application is kept out."""
        return [(table, bucket_sums(self.new, table, table.new)) for table in self.tables]

    def differences(self) -> list[TableDifference]:
        return [
            find_difference(self.live, self.new, table, new_sums=self._known(table)) for table in self.tables
        ]

    def _known(self, table: CommonTable) -> dict[int, tuple] | None:
        # Equal with its columns and its key: the live table may have been altered since.
        return next((sums for known, sums in self._known_sums if known == table), None)

    def report(self, differences: list[TableDifference]) -> dict[str, Any]:
        """What the live database has more, by table; tables without a difference are left out.

        Returns:
            dict: tables (name -> added, changed, deleted), compared (number of tables), only_live (tables: name ->
            rows; columns: name -> rows with a value), only_backup (names of tables), large_objects (how many more).
        """
        return {
            "compared": len(self.tables),
            "tables": {one.table.label: one.counts for one in differences if one.total()},
            "only_live": {
                "tables": {one.label: self._rows(one) for one in self.only_live},
                "columns": {
                    name: rows for table in self.tables for name, rows in self._values(table).items()
                },
            },
            "only_backup": self.only_new,
            "large_objects": _large_objects(self.live) - _large_objects(self.new),
        }

    def _rows(self, relation: Relation) -> int:
        self.live.execute(sql.SQL("SELECT count(*) FROM {}").format(relation.source()))
        return one_row(self.live)[0]

    def _values(self, table: CommonTable) -> dict[str, int]:
        if not table.missing:
            return {}
        counts = sql.SQL(", ").join(
            sql.SQL("count({})").format(sql.Identifier(name)) for name in table.missing
        )
        self.live.execute(sql.SQL("SELECT {} FROM {}").format(counts, table.live.source()))
        return {
            f"{table.label}.{name}": rows for name, rows in zip(table.missing, one_row(self.live)) if rows
        }

    def carry(self, differences: list[TableDifference]) -> list[dict[str, Any]]:
        """Bring the rows over, and look whether they came.

        Returns:
            The rows that were left: table, change, key, reason.
        """
        left: list[dict[str, Any]] = []
        for _ in range(ROUNDS):
            differing = sum(one.total() for one in differences)
            if differing == len(left):
                return left
            left = self._write([one for one in differences if one.total()])
            touched = self._touched({one.table.name for one in differences if one.total()})
            differences = [
                find_difference(self.live, self.new, table) for table in self.tables if table.name in touched
            ]
        return left if sum(one.total() for one in differences) == len(left) else self._unlike(differences)

    def _write(self, differences: list[TableDifference]) -> list[dict[str, Any]]:
        by_name = {one.table.name: one for one in differences}
        left = write_together(self.new, [self._changes(one) for one in differences], self.references)
        keys = {one.table.name: self._keys(one) for one in differences} if left else {}
        return [_left(by_name[row.table], row.kind, keys[row.table][row.number], row.reason) for row in left]

    def _changes(self, difference: TableDifference) -> TableChanges:
        """A difference as the engine that writes rows wants it."""
        table = difference.table
        types = StagedTypes(self.new, difference)
        # It was compared in this transaction.
        facts = known(table_facts(self.new, table.name), "a table that was compared")
        return TableChanges(
            table=facts,
            work=difference.changes,
            columns=table.columns,
            settable=table.settable(),
            value=types.value,
            now=identified_rows(table),
            key=table.key,
        )

    def _keys(self, difference: TableDifference) -> dict[int, str]:
        self.new.execute(sql.SQL("SELECT number, key FROM {}").format(difference.changes))
        return dict(self.new.fetchall())

    def _touched(self, names: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """The tables, and those that an action of their foreign keys may have touched."""
        while True:
            more = {one.child for one in self.references if one.parent in names} - names
            if not more:
                return names
            names = names | more

    def _unlike(self, differences: list[TableDifference]) -> list[dict[str, Any]]:
        rows = []
        for difference in differences:
            if difference.total():
                self.new.execute(sql.SQL("SELECT kind, key FROM {}").format(difference.changes))
                rows += [
                    _left(difference, kind, key, GIVEN_ANOTHER_VALUE if kind == CHANGED else TAKEN_BACK)
                    for kind, key in self.new.fetchall()
                ]
        return rows


def _left(difference: TableDifference, kind: str, key: str, reason: str) -> dict[str, Any]:
    return {
        "table": difference.table.label,
        "change": kind,
        "key": difference.table.name_key(key),
        "reason": reason,
    }


def summary_of_left(left: list[dict[str, Any]]) -> dict[str, Any]:
    """How many rows were left in each table, and the first of them with their reasons."""
    counts: dict[str, int] = {}
    for row in left:
        counts[row["table"]] = counts.get(row["table"], 0) + 1
    return {"tables": counts, "rows": left[:LEFT_SHOWN]}


def _large_objects(cursor: Cursor) -> int:
    cursor.execute("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata")
    return one_row(cursor)[0]


def refresh_materialized_views(cursor: Cursor) -> list[str]:
    """Compute those that hold rows once more, in the order in which they were made, so that each finds its source."""
    cursor.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid"
    )
    views = cursor.fetchall()
    for view in views:
        cursor.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(*view)))
    return [".".join(view) for view in views]
