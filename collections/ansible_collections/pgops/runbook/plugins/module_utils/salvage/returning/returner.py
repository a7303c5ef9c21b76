# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting salvage back, in the transaction that applies the migration again.

Deploy, rollback and deploy are a three-way merge: see returning.decision. Nothing is forced: what was changed on both
sides, whose parent is gone or whose unique values another row has, stays in the salvage with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from ...postgres.bisect import NotTaken, savepoint
from ...postgres.connection import sql
from ...postgres.kept_names import kept_table
from ...postgres.references import Reference, foreign_keys, parents_first
from ...postgres.session import pin_session, restore_session
from ...postgres.tables import Table, numbers_settable
from ...postgres.triggers import triggers_and_rules_off
from ...rows.changes import ADDED, CHANGED, DELETED, TableChanges
from ...rows.policies import HOLD_BACK, PARENT_GONE
from ...rows.sequences import advance_sequence, advance_sequences_of
from ...rows.writing import TableWriter, take_out_orphans, written_as_ring
from ...shapes import Cursor, TableName
from ..labels import add_labels_again
from ..large_objects import make_large_objects_again
from ..privileges import change_privileges_again
from ..store.items import LABELS, LARGE_OBJECTS, OF_TABLES, PRIVILEGES, SEQUENCE, SalvageStore
from ..store.returning import (
    count_kept,
    count_more,
    hold_back_conflicts,
    note_returned,
    reasons_of_held_back,
)
from .competing_rows import hold_back_competing_rows
from .decision import BOTH_CHANGED, KEPT, VALUES_UNKNOWN, decide, hold_back_moved, hold_back_referred
from .numbers import (
    follow_parents,
    give_numbers_back,
    hold_back_with_parents,
    number_anew,
    take_new_numbers,
)
from .parents import doubt_parents
from .undisturbed import write_undisturbed
from .waiting import WaitingRows

__all__ = ["SALVAGE_SPEC", "SalvageReturner"]

# Option of the modules that apply a migration.
SALVAGE_SPEC = {"restore_salvage": {"type": "bool", "default": True}}


class SalvageReturner:
    """Puts back what rollbacks of one migration kept.

    Args:
        cursor: of the applying transaction.
        run_id: name of the run.
        version: the migration.
        wanted: false to leave it all where it is.
        only: numbers of the items to put back; default is all.
        prefer: who has the last word on what was changed on both sides, one of decision.PREFERENCES.
    """

    def __init__(
        self,
        cursor: Cursor,
        run_id: str,
        version: str,
        wanted: bool = True,
        only: Sequence[int] | None = None,
        prefer: str = "",
    ) -> None:
        self.cursor = cursor
        self.run_id = run_id
        self.version = version
        self.wanted = wanted
        self.only = only
        self.prefer = prefer
        self.store = SalvageStore(cursor)
        self.items: list[dict[str, Any]] = []

    def choose(self) -> None:
        """Take the items; to be called before the migration's first statement."""
        self.store.bring_up_to_date()
        self.items = self.store.open_items(self.version) if self.wanted else []

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
        meant = [item for item in self.items if self.only is None or item["item"] in self.only]
        kept = {item["item"]: count_kept(self.cursor, item) for item in meant}
        # Labels that values need, and what they name, come first, and what belongs to no row last.
        for item in meant:
            if item["kind"] == LABELS:
                self._put_back(item)
            elif item["kind"] == LARGE_OBJECTS:
                make_large_objects_again(self.cursor, self.store, item)
        for number, more in self._merge({item["item"] for item in meant}).items():
            kept[number] += more
        for kind in (SEQUENCE, PRIVILEGES):
            for item in meant:
                if item["kind"] == kind:
                    self._put_back(item)
        restore_session(self.cursor, previous, local=True)
        done = [self._close(item, kept[item["item"]]) for item in meant]
        for run_id in {item["run_id"] for item in self.items}:
            self.store.forget_known_again(self.version, run_id)
        return [one for one in done if one["returned"] or one["held_back"]]

    # Rows of tables --------------------------------------------------------------------------------------

    def _merge(self, meant: set[int]) -> dict[int, int]:
        """All rows together: those of several rollbacks one rollback after the other, in the order of the rollbacks.

        Returns:
            dict: item -> rows that count though they were not counted.
        """
        more: dict[int, int] = {}
        for run_id in dict.fromkeys(item["run_id"] for item in self.items):
            left = list(self._waiting(run_id))
            while left:
                # An earlier release kept columns and rows of one table apart.
                of_table = {one.name: one for one in reversed(left)}
                more.update(
                    _Merge(self.cursor, list(of_table.values()), meant, self.prefer, self.store).run()
                )
                left = [one for one in left if one not in of_table.values()]
        return more

    def _waiting(self, run_id: str) -> Iterator[WaitingRows]:
        for item in self.items:
            if item["run_id"] == run_id and item["kind"] in OF_TABLES:
                table = self._table_of(item)
                if table is not None:
                    yield WaitingRows(self.cursor, item, table)

    def _table_of(self, item: dict[str, Any]) -> Table | None:
        """The table that an item's rows go back to; None where it cannot take them, and they are held back."""
        table = kept_table(self.cursor, _table_name(item))
        if table is None:
            self.store.hold_back(item["item"], "its table is gone")
            return None
        lost = [name for name in item["key_columns"] if name not in table.columns]
        if lost:
            self.store.hold_back(item["item"], f"the table no longer has column {', '.join(lost)}")
            return None
        return table

    # What belongs to no row ------------------------------------------------------------------------------

    def _put_back(self, item: dict[str, Any]) -> None:
        facts = item["facts"]
        if item["kind"] == SEQUENCE:
            there = advance_sequence(self.cursor, _table_name(item), facts["next_value"])
            problems = [] if there else ["the sequence is gone"]
        elif item["kind"] == LABELS:
            problems = add_labels_again(self.cursor, facts["object"], facts["labels"])
        elif item["kind"] == PRIVILEGES:
            problems = change_privileges_again(
                self.cursor,
                facts["object"],
                # An earlier release kept what was granted only.
                facts.get("granted", facts.get("privileges", [])),
                facts.get("revoked", []),
            )
        else:
            # What is forgotten here is gone for good.
            raise LookupError(f"Nothing is known of how salvage of kind {item['kind']} goes back")
        if problems:
            self.store.hold_back(item["item"], "; ".join(problems))
        else:
            self.store.forget_returned(item["item"])

    def _close(self, item: dict[str, Any], kept: int) -> dict[str, Any]:
        """Say what became of an item that had ``kept`` rows; an earlier deploy may have put back some already."""
        reasons = reasons_of_held_back(self.cursor, item)
        held_back = sum(reasons.values())
        if not held_back and kept:
            note_returned(self.cursor, item, self.run_id)
        return {
            "item": item["item"],
            "table": item["facts"].get("object") or f"{item['schema']}.{item['table']}",
            "kind": item["kind"],
            "returned": kept - held_back,
            "held_back": held_back,
            "reasons": reasons,
        }


class _Merge:
    """Rows of all tables that one rollback kept.

    Args:
        rows: of each table.
        meant: numbers of the items that are to go back; the others are there to be referred to.
        prefer: see SalvageReturner.
    """

    def __init__(
        self, cursor: Cursor, rows: Sequence[WaitingRows], meant: set[int], prefer: str, store: SalvageStore
    ) -> None:
        self.cursor = cursor
        self.rows = {one.name: one for one in rows}
        self.meant = meant
        self.prefer = prefer
        self.store = store
        self.references = foreign_keys(cursor)
        pairs = [(one.child, one.parent) for one in self.references]
        self.groups = parents_first(self.rows, pairs)
        self.writers: dict[TableName, TableWriter] = {}

    def run(self) -> dict[int, int]:
        """Merge; gives item -> rows that count though they were not counted."""
        meant = [one for one in self.rows.values() if one.item["item"] in self.meant]
        for waiting in self.rows.values():
            waiting.make()
            if not self.prefer and waiting.item["item"] in self.meant:
                write_undisturbed(waiting)
        for waiting in self.rows.values():
            self._hold_back(waiting, waiting.read())
        for group in self.groups:
            self._know_again([self.rows[name] for name in group])
            # In a ring each waits for what is said of the others.
            for _ in group:
                for name in group:
                    hold_back_with_parents(self.rows[name], self.rows)
            for name in group:
                if self.prefer != KEPT:
                    doubt_parents(self.rows[name])
                decide(self.rows[name], self.prefer)
        more = {
            one.item["item"]: count_more(self.cursor, one.item, one.work) for one in meant if one.defaults
        }
        for name, waiting in self.rows.items():
            take_new_numbers(waiting)
            self.writers[name] = self._writer(waiting)
        self._write()
        for waiting in meant:
            self._hold_back(waiting, waiting.reasons())
            differing = BOTH_CHANGED if waiting.base_known else VALUES_UNKNOWN
            hold_back_conflicts(self.cursor, waiting.item, waiting.work, differing)
            self.store.forget_returned(waiting.item["item"])
            advance_sequences_of(self.cursor, waiting.table)
        for waiting in self.rows.values():
            waiting.close()
        return more

    def _know_again(self, group: Sequence[WaitingRows]) -> None:
        """Find what rows of tables that refer to each other are now; those of their parents are found by then.

        What a row without another name refers to says which one it is: so parents come first.
        """
        members = {one.name: one for one in group}
        known = {name: one for name, one in self.rows.items() if one.known_again}
        for waiting in group:
            follow_parents(waiting, known)
            waiting.find_places(self.prefer == KEPT)
        moved = [give_numbers_back(self.cursor, one) for one in group if one.item["item"] in self.meant]
        if any(moved):
            # Every row that got another number has another place, and so has each that refers to it.
            for waiting in self.rows.values():
                waiting.placed = False
            for waiting in group:
                waiting.find_places(self.prefer == KEPT)
        for waiting in group:
            waiting.known_again = True
            if waiting.item["item"] in self.meant:
                number_anew(waiting)
        for waiting in group:
            follow_parents(waiting, members)

    def _writer(self, waiting: WaitingRows) -> TableWriter:
        changes = TableChanges(
            table=waiting.table,
            work=waiting.work,
            columns=waiting.present,
            settable=[name for name in waiting.counting_columns() if name not in waiting.unsettable],
            value=_value,
            now=waiting.now(),
            key=waiting.key.columns,
            counts=_counts,
        )
        return TableWriter(self.cursor, changes, HOLD_BACK)

    def _write(self) -> None:
        for group in reversed(self.groups):
            for name in group:
                self._delete(self.rows[name])
        for waiting in self.rows.values():
            hold_back_moved(waiting, self.rows.values())
            waiting.forget_what_stays()
        for group in self.groups:
            members = [self.rows[name] for name in group if self.rows[name].item["item"] in self.meant]
            if len(members) > 1 and self._write_ring(members, group):
                continue
            for waiting in members:
                with triggers_and_rules_off(self.cursor, waiting.table.oid), self._numbers_settable(waiting):
                    self._hold_back_orphans(waiting)
                    self._stays(waiting, self.writers[waiting.name].write((CHANGED, ADDED)))

    def _numbers_settable(self, waiting: WaitingRows) -> AbstractContextManager[None]:
        return numbers_settable(self.cursor, waiting.table, waiting.settable_numbers)

    def _delete(self, waiting: WaitingRows) -> None:
        if waiting.item["item"] not in self.meant:
            return
        hold_back_referred(self.cursor, waiting)
        waiting.forget_what_stays()
        with triggers_and_rules_off(self.cursor, waiting.table.oid):
            self._stays(waiting, self.writers[waiting.name].write((DELETED,)))

    def _write_ring(self, members: Sequence[WaitingRows], group: Sequence[TableName]) -> bool:
        """Rows of tables that refer to each other, so that none of them could come first.

        Returns:
            bool: False where it did not go, and nothing was done.
        """
        ring = [one for one in self.references if one.child in group and one.parent in group]
        # A column that is in a primary key by now cannot be cleared: then without.
        return any(self._ring_goes(members, group, ring, clearing) for clearing in (True, False))

    def _ring_goes(
        self,
        members: Sequence[WaitingRows],
        group: Sequence[TableName],
        ring: Sequence[Reference],
        clearing: bool,
    ) -> bool:
        writers = [self.writers[one.name] for one in members]
        try:
            with savepoint(self.cursor), ExitStack() as tables:
                for waiting in members:
                    tables.enter_context(triggers_and_rules_off(self.cursor, waiting.table.oid))
                    tables.enter_context(self._numbers_settable(waiting))
                with written_as_ring(self.cursor, ring, writers if clearing else []):
                    for waiting, writer in zip(members, writers):
                        self._hold_back_orphans(waiting, coming=group)
                        self._stays(waiting, writer.write((CHANGED, ADDED)))
                    for waiting, reasons in zip(members, take_out_orphans(writers, group)):
                        self._stays(waiting, reasons)
        except NotTaken:
            return False
        return True

    def _hold_back_orphans(self, waiting: WaitingRows, coming: Sequence[TableName] = ()) -> None:
        """Hold back rows whose parent is gone; a parent among the rows themselves is not asked for."""
        changes = self.writers[waiting.name].changes
        for constraint in waiting.table.foreign_keys:
            if constraint.parent != waiting.name and constraint.parent not in coming:
                missing = sql.SQL("k.kind IN ('added', 'changed') AND {}").format(
                    changes.parent_missing(constraint)
                )
                waiting.hold_back(missing, PARENT_GONE.format(".".join(constraint.parent)))
        waiting.forget_what_stays()

    def _stays(self, waiting: WaitingRows, reasons: dict[int, str]) -> None:
        for reason, numbers in _by_reason(reasons).items():
            waiting.hold_back(sql.SQL("k.number = ANY ({}::bigint[])").format(sql.Literal(numbers)), reason)
        waiting.forget_what_stays()

    def _hold_back(self, waiting: WaitingRows, reasons: dict[int, str]) -> None:
        """Say in the salvage why rows stay, by number."""
        for reason, numbers in _by_reason(reasons).items():
            self.store.hold_back(waiting.item["item"], reason, numbers)


def _by_reason(reasons: dict[int, str]) -> dict[str, list[int]]:
    """Reason -> numbers of the rows that stay for it."""
    found: dict[str, list[int]] = {}
    for number, reason in reasons.items():
        found.setdefault(reason, []).append(number)
    return found


def _value(name: str) -> sql.Composable:
    """SQL: the value of a column in the kept row k."""
    return sql.SQL("(k.theirs).{}").format(sql.Identifier(name))


def _counts(name: str) -> sql.Composable:
    """SQL condition: the column counts in row k."""
    return sql.SQL("(k.columns IS NULL OR {} = ANY (k.columns))").format(sql.Literal(name))


def _table_name(item: dict[str, Any]) -> TableName:
    return item["schema"], item["table"]
