# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting salvage back, in the transaction that applies the migration again.

Nothing is forced: a row that somebody changed, whose parent is gone or whose unique values another row has, stays in
the salvage with the reason. What a row must look like so that nobody is overwritten is checked before the script.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ...postgres.bisect import NotTaken, savepoint
from ...postgres.references import Reference, foreign_keys, parents_first
from ...postgres.session import pin_session, restore_session
from ...postgres.tables import Table, table_facts
from ...postgres.triggers import triggers_and_rules_off
from ...rows.sequences import advance_sequence
from ...rows.writing import take_out_orphans, written_as_ring
from ...shapes import Cursor
from ..changed_since import hold_back_changed, narrow_to_untouched
from ..labels import add_labels_again
from ..privileges import change_privileges_again
from ..sources import sources_changed
from ..store.items import COLUMNS, DELETED, LABELS, PRIVILEGES, ROWS, SEQUENCE, TABLE, UNTOUCHED, SalvageStore
from ..store.returning import count_kept, note_returned, reasons_of_held_back
from .competing_rows import hold_back_competing_rows
from .rows import RowReturn

__all__ = ["SALVAGE_SPEC", "SalvageReturner"]

# Option of the modules that apply a migration.
SALVAGE_SPEC = {"restore_salvage": {"type": "bool", "default": True}}

# Labels that values need; whole tables and rows together, parents before the tables that refer to them; then the
# columns of these rows.
OF_TABLES = (TABLE, UNTOUCHED, ROWS)
ORDER = ((LABELS,), (DELETED,), OF_TABLES, (COLUMNS,), (SEQUENCE,), (PRIVILEGES,))


class SalvageReturner:
    """Puts back what rollbacks of one migration kept.

    Args:
        cursor: of the applying transaction.
        run_id: name of the run.
        version: the migration.
        wanted: false to leave it all where it is.
        only: number of the one item to put back; default is all.
    """

    def __init__(
        self, cursor: Cursor, run_id: str, version: str, wanted: bool = True, only: int | None = None
    ) -> None:
        self.cursor = cursor
        self.run_id = run_id
        self.version = version
        self.wanted = wanted
        self.only = only
        self.store = SalvageStore(cursor)
        self.items: list[dict[str, Any]] = []

    def before(self) -> None:
        """Find the rows that somebody changed since; to be called before the migration's first statement."""
        self.choose()
        previous = pin_session(self.cursor, local=True)
        for item in self.items:
            item["sources_changed"] = sources_changed(self.cursor, item)
            if item["kind"] == ROWS:
                hold_back_changed(self.cursor, item)
            elif item["kind"] == UNTOUCHED:
                narrow_to_untouched(self.cursor, item)
        restore_session(self.cursor, previous, local=True)

    def choose(self) -> None:
        """Take the items without a look at what was changed since: for a migration that is in place already."""
        self.store.bring_up_to_date()
        found = self.store.open_items(self.version) if self.wanted else []
        self.items = [item for item in found if self.only in (None, item["item"])]

    def tables(self) -> set[str]:
        """``schema.table`` of the tables that rows go back to."""
        return {f"{item['schema']}.{item['table']}" for item in self.items if item["table"]}

    def after(self) -> list[dict[str, Any]]:
        """Put back; to be called after the migration's last statement.

        Returns:
            list of dict: table, kind, returned, held_back (rows) and reasons (reason -> rows), one an item.
        """
        if not self.items:
            return []
        previous = pin_session(self.cursor, local=True)
        # A constraint that is deferred to COMMIT would hold back nothing, and fail everything.
        self.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        hold_back_competing_rows(self.cursor, self.items)
        kept = {item["item"]: count_kept(self.cursor, item) for item in self.items}
        for kinds in ORDER:
            items = [item for item in self.items if item["kind"] in kinds]
            if kinds == OF_TABLES:
                self._put_back_parents_first(items)
            else:
                for item in items:
                    self._put_back(item)
        restore_session(self.cursor, previous, local=True)
        return [self._close(item, kept[item["item"]]) for item in self.items]

    def _put_back_parents_first(self, items: Sequence[dict[str, Any]]) -> None:
        """Parents before the tables that refer to them, rings together."""
        references = foreign_keys(self.cursor)
        pairs = [(one.child, one.parent) for one in references]
        for group in parents_first(map(_table_name, items), pairs):
            members = [item for item in items if _table_name(item) in group]
            if len(group) > 1:
                ring = [one for one in references if one.child in group and one.parent in group]
                if self._put_back_ring(members, group, ring):
                    continue
            for item in members:
                self._put_back(item)

    def _put_back_ring(
        self, items: Sequence[dict[str, Any]], group: Sequence[tuple[str, str]], ring: Sequence[Reference]
    ) -> bool:
        """Rows of tables that refer to each other, so that none of them could come first.

        Returns:
            bool: False where it did not go, and nothing was done.
        """
        tables = [(item, self._table_of(item)) for item in items]
        targets = [(item, table) for item, table in tables if table]
        # A column that is in a primary key by now cannot be cleared: then without.
        return any(self._ring_goes(targets, group, ring, clearing) for clearing in (True, False))

    def _ring_goes(
        self,
        targets: Sequence[tuple[dict[str, Any], Table]],
        group: Sequence[tuple[str, str]],
        ring: Sequence[Reference],
        clearing: bool,
    ) -> bool:
        rows = [RowReturn(self.cursor, self.version, item, table) for item, table in targets]
        writers = [one.writer for one in rows]
        try:
            with savepoint(self.cursor):
                with ExitStack() as tables:
                    for one in rows:
                        tables.enter_context(triggers_and_rules_off(self.cursor, one.table.oid))
                    with written_as_ring(self.cursor, ring, writers if clearing else []):
                        for one in rows:
                            one.read()
                            one.hold_back_orphans(coming=group)
                            one.write()
                        orphans = take_out_orphans(writers, group)
                        for one, reasons in zip(rows, orphans):
                            one.hold_back(reasons)
                for one in rows:
                    one.close()
        except NotTaken:
            return False
        return True

    def _put_back(self, item: dict[str, Any]) -> None:
        if item["kind"] == SEQUENCE:
            if advance_sequence(self.cursor, _table_name(item), item["facts"]["next_value"]):
                self.store.forget_returned(item["item"])
            else:
                self.store.hold_back(item["item"], "the sequence is not there any more")
        elif item["kind"] in (LABELS, PRIVILEGES):
            facts = item["facts"]
            if item["kind"] == LABELS:
                problems = add_labels_again(self.cursor, facts["object"], facts["labels"])
            else:
                problems = change_privileges_again(
                    self.cursor,
                    facts["object"],
                    # An earlier release kept what was granted only.
                    facts.get("granted", facts.get("privileges", [])),
                    facts.get("revoked", []),
                )
            if problems:
                self.store.hold_back(item["item"], "; ".join(problems))
            else:
                self.store.forget_returned(item["item"])
        else:
            table = self._table_of(item)
            if table is not None:
                with triggers_and_rules_off(self.cursor, table.oid):
                    RowReturn(self.cursor, self.version, item, table).put_back()

    def _table_of(self, item: dict[str, Any]) -> Table | None:
        """The table that an item's rows go back to; None where it cannot take them, and they are held back."""
        table = table_facts(self.cursor, _table_name(item))
        if table is None:
            self.store.hold_back(item["item"], "its table is not there any more")
            return None
        lost = [name for name in item["columns"] if name not in table.columns]
        if lost or not set(item["key_columns"]) <= set(table.columns):
            missing = ", ".join(lost or item["key_columns"])
            self.store.hold_back(item["item"], f"the table has no column {missing} any more")
            return None
        return table

    def _close(self, item: dict[str, Any], kept: int) -> dict[str, Any]:
        """Say what became of an item that had ``kept`` rows; an earlier deploy may have put back some already."""
        reasons = reasons_of_held_back(self.cursor, item)
        held_back = sum(reasons.values())
        if not held_back:
            note_returned(self.cursor, item, self.run_id)
        return {
            "item": item["item"],
            "table": item["facts"].get("object") or f"{item['schema']}.{item['table']}",
            "kind": item["kind"],
            "returned": kept - held_back,
            "held_back": held_back,
            "reasons": reasons,
        }


def _table_name(item: dict[str, Any]) -> tuple[str, str]:
    return item["schema"], item["table"]
