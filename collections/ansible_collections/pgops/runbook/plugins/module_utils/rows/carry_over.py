# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the live database has that the restored backup has not: counted, and with consent brought over.

Compared are the tables and columns that both have. ``schema_migrations`` stays as it is in the backup: it says which
schema that is. Tables and columns of the live database that the backup does not know are counted and named.
"""

from __future__ import annotations

from typing import Any

from ..ledger.versions import VersionTable
from ..postgres.connection import sql
from ..postgres.session import pin_session
from .difference import CHANGED, TableDifference, bucket_sums, find_difference
from .tables import CommonTable, Relation, in_common, only_in, read_references, read_relations
from .writing import LEFT_SHOWN, apply_differences

__all__ = ["RowComparison", "carry_sequences", "refresh_materialized_views", "summary_of_left"]

# A row may be touched once more by the foreign key action of another table; more rounds than that are not needed.
ROUNDS = 4


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
        live: Any,
        new: Any,
        ledger: bool = False,
        known_sums: list[tuple[CommonTable, dict[int, tuple]]] | None = None,
    ) -> None:
        self.live, self.new = live, new
        there, here = read_relations(live, ledger), read_relations(new, ledger)
        for cursor, relations in ((live, there), (new, here)):
            name = VersionTable(cursor).name()
            relations.pop(next((key for key in relations if ".".join(key) == name), None), None)
        self.tables = in_common(there, here)
        self.only_live = only_in(there, here)
        self.only_new = [one.label for one in only_in(here, there)]
        self.references = read_references(new)
        self.search_path = pin_session(new, local=True)["search_path"]
        pin_session(live, local=True)
        self._known_sums = known_sums or []

    def sums_of_restored(self) -> list[tuple[CommonTable, dict[int, tuple]]]:
        """Read the restored side, which nobody writes to, before the application is held off."""
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
        return self.live.fetchone()[0]

    def _values(self, table: CommonTable) -> dict[str, int]:
        if not table.missing:
            return {}
        counts = sql.SQL(", ").join(
            sql.SQL("count({})").format(sql.Identifier(name)) for name in table.missing
        )
        self.live.execute(sql.SQL("SELECT {} FROM {}").format(counts, table.live.source()))
        return {
            f"{table.label}.{name}": rows for name, rows in zip(table.missing, self.live.fetchone()) if rows
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
            self._search_path(self.search_path)
            left = apply_differences(self.new, differences, self.references)
            self._search_path("")
            touched = self._touched({one.table.label for one in differences if one.total()})
            differences = [
                find_difference(self.live, self.new, table) for table in self.tables if table.label in touched
            ]
        return left if sum(one.total() for one in differences) == len(left) else self._unlike(differences)

    def _search_path(self, value: str) -> None:
        # Checks and defaults of the application may rely on its own.
        self.new.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (value,))

    def _touched(self, labels: set[str]) -> set[str]:
        """The tables, and those that an action of their foreign keys may have touched."""
        while True:
            more = {child for child, parent in self.references if parent in labels} - labels
            if not more:
                return labels
            labels = labels | more

    def _unlike(self, differences: list[TableDifference]) -> list[dict[str, Any]]:
        rows = []
        for one in differences:
            if one.total():
                self.new.execute(sql.SQL("SELECT kind, key FROM {}").format(one.changes))
                rows += [
                    {
                        "table": one.table.label,
                        "change": kind,
                        "key": one.table.name_key(key),
                        "reason": "something in the restored database gave it another value"
                        if kind == CHANGED
                        else "something in the restored database took it back",
                    }
                    for kind, key in self.new.fetchall()
                ]
        return rows


def summary_of_left(left: list[dict[str, Any]]) -> dict[str, Any]:
    """How many rows were left in each table, and the first of them with their reasons."""
    counts: dict[str, int] = {}
    for row in left:
        counts[row["table"]] = counts.get(row["table"], 0) + 1
    return {"tables": counts, "rows": left[:LEFT_SHOWN]}


def _large_objects(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata")
    return cursor.fetchone()[0]


SEQUENCES = """
    SELECT n.nspname::text, c.relname::text, s.seqincrement, s.seqmin, s.seqmax FROM pg_catalog.pg_sequence s
    JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND c.relpersistence <> 't'"""


def carry_sequences(live: Any, new: Any) -> dict[str, int]:
    """Move sequences on to where the live ones are, never back: no number is given out twice.

    Returns:
        name -> last value, of those that were moved.
    """
    live.execute(SEQUENCES)
    there = {(schema, name) for schema, name, *_ in live.fetchall()}
    new.execute(SEQUENCES)
    moved = {}
    for schema, name, increment, lowest, highest in new.fetchall():
        if (schema, name) not in there:
            continue
        state = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        live.execute(state)
        last, called = live.fetchone()
        new.execute(state)
        restored, restored_called = new.fetchone()
        ahead = 1 if increment > 0 else -1
        further = (last * ahead, called) > (restored * ahead, restored_called)
        if further and lowest <= last <= highest:
            new.execute(
                "SELECT pg_catalog.setval(pg_catalog.format('%%I.%%I', %s::text, %s::text)::regclass, %s, %s)",
                (schema, name, last, called),
            )
            moved[f"{schema}.{name}"] = last
    return moved


def refresh_materialized_views(cursor: Any) -> list[str]:
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
