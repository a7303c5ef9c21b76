# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that wait to be written into one table, and the statements that write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..postgres.connection import sql
from ..postgres.tables import ForeignKey, Table
from ..postgres.values import equal

__all__ = ["ADDED", "CHANGED", "DELETED", "KINDS", "TableChanges"]

ADDED, CHANGED, DELETED = KINDS = ("added", "changed", "deleted")

WAITING = "k.kind = {kind} AND NOT k.written{some}"

# Where the row was when its place was noted: whoever writes it meanwhile is the one who writes the waiting rows.
ITS_ROW = "t.ctid = k.place AND t.tableoid = k.partition"

DELETE = "DELETE FROM {target} t USING {work} k WHERE " + ITS_ROW + " AND " + WAITING
# Joined are the values that are set, not whole rows.
UPDATE = (
    "UPDATE {target} t SET {assignments} FROM (SELECT k.number, k.place, k.partition, {read} FROM {work} k WHERE "
    + WAITING
    + " OFFSET 0) AS k WHERE "
    + ITS_ROW
)
INSERT = (
    "INSERT INTO {into} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {work} k WHERE " + WAITING
)
# The count makes the deletion end before the first row is inserted.
REWRITE = (
    "WITH gone AS (" + DELETE + " RETURNING 1) " + INSERT + " AND (SELECT pg_catalog.count(*) FROM gone) >= 0"
)
# A foreign key's action (ON UPDATE CASCADE) has written a row anew in this transaction: its newest version.
FOLLOW = (
    "UPDATE {work} k SET place ="
    " pg_catalog.currtid2(k.partition::pg_catalog.regclass::pg_catalog.text, k.place)"
    " WHERE k.kind <> 'added' AND NOT k.written AND k.place IS NOT NULL"
)
MAY_BE_MOVED = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint
                   WHERE contype = 'f' AND conrelid = %s
                     AND (confupdtype IN ('c', 'n', 'd') OR confdeltype IN ('n', 'd')))"""
CLEAR = (
    "WITH cleared AS (" + UPDATE + " RETURNING k.number, t.ctid AS place, t.tableoid AS partition)"
    " UPDATE {work} k SET place = cleared.place, partition = cleared.partition FROM cleared"
    " WHERE cleared.number = k.number"
)
ORPHANS = (
    "WITH missing AS (UPDATE {work} k SET written = false WHERE k.kind = 'added' AND k.written AND {missing}"
    " RETURNING number, key, occurrence),"
    " gone AS (DELETE FROM {target} t USING missing JOIN ({now}) AS now USING (key, occurrence)"
    " WHERE t.ctid = now.place AND t.tableoid = now.partition) SELECT number FROM missing"
)


def _every_column_counts(name: str) -> sql.Composable | None:
    return None


@dataclass(frozen=True)
class TableChanges:
    """Rows that wait to be written into one table.

    They are in a work table, which is called k in all SQL and has at least these columns:

    - number (bigint, unique, from 1), kind (text, one of KINDS; NULL for nothing to do);
    - written (boolean, false at first);
    - key (text) and occurrence (bigint), by which ``now`` finds the row when it is in the table;
    - place (tid) and partition (oid) of the row that is to be changed or deleted.

    Attributes:
        table: that they go into.
        work: SQL identifier of the work table.
        columns: names, of those that a new row is given values for.
        settable: names, of those that a row that is there is given values for.
        value: of the name of a column: SQL of its value in row k.
        now: SQL query for the rows of the table as they are then: key, occurrence, place, partition.
        key: names of the columns of the key, whose values are never taken out of a row.
        counts: of the name of a column: SQL condition, whether row k has a value for it; None where all have.
    """

    table: Table
    work: sql.Composable
    columns: Sequence[str]
    settable: Sequence[str]
    value: Callable[[str], sql.Composable]
    now: sql.Composable
    key: Sequence[str]
    counts: Callable[[str], sql.Composable | None] = _every_column_counts

    # Statements on a range of numbers, both ends inclusive -------------------------------------------------

    def write(self, kind: str, *numbers: int) -> sql.Composable | None:
        """Write what waits, of one kind; None where no column can be set.

        Args:
            numbers: the lowest and the highest; default is all.
        """
        parts = self._parts(kind, *numbers)
        if kind == DELETED:
            return sql.SQL(DELETE).format(**parts)
        if kind == ADDED:
            # In the order in which the maker of the work table numbered them.
            return sql.SQL(INSERT + " ORDER BY k.number").format(**self._new_rows(), **parts)
        if not self.settable:
            return None
        return sql.SQL(UPDATE).format(**self._assignments(self.settable, self.value), **parts)

    def may_be_moved(self) -> tuple[str, tuple[int]]:
        """Query and parameters: whether writing other tables may write rows of this one anew."""
        return MAY_BE_MOVED, (self.table.oid,)

    def follow(self) -> sql.Composable:
        """Note where the rows that are to be changed or deleted are by now."""
        return sql.SQL(FOLLOW).format(work=self.work)

    def count(self, kind: str, *numbers: int) -> sql.Composable:
        """Query for how many wait of one kind; of those that are changed each has to be found."""
        return sql.SQL("SELECT pg_catalog.count(*) FROM {work} k WHERE " + WAITING).format(
            **self._parts(kind, *numbers)
        )

    def rewrite(self, low: int, high: int) -> sql.Composable:
        """Write changed rows anew in the place of those that are there."""
        return sql.SQL(REWRITE).format(**self._new_rows(), **self._parts(CHANGED, low, high))

    def clear(self, names: Iterable[str], low: int, high: int) -> sql.Composable:
        """Take the values of these columns out of the rows that are to be changed."""
        assignments = self._assignments(names, lambda name: None)
        return sql.SQL(CLEAR).format(**assignments, **self._parts(CHANGED, low, high))

    def mark_written(self, kinds: Sequence[str], low: int, high: int) -> sql.Composable:
        return sql.SQL(
            "UPDATE {} SET written = true WHERE kind = ANY ({}) AND NOT written AND number BETWEEN {} AND {}"
        ).format(self.work, sql.Literal(list(kinds)), sql.Literal(low), sql.Literal(high))

    def mark_written_but(self, kind: str, numbers: Sequence[int]) -> sql.Composable:
        return sql.SQL(
            "UPDATE {} SET written = true WHERE kind = {} AND NOT written AND number <> ALL ({}::bigint[])"
        ).format(self.work, sql.Literal(kind), sql.Literal(numbers))

    def _parts(self, kind: str, *numbers: int) -> dict[str, Any]:
        some = " AND k.number BETWEEN {} AND {}" if numbers else ""
        return {
            "target": self.table.identifier(),
            "work": self.work,
            "kind": sql.Literal(kind),
            "some": sql.SQL(some).format(*map(sql.Literal, numbers)),
        }

    def _new_rows(self) -> dict[str, Any]:
        return {
            "into": sql.Identifier(*self.table.name),  # INSERT knows no ONLY
            "columns": sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            "values": sql.SQL(", ").join(map(self.value, self.columns)),
        }

    def _assignments(
        self, names: Iterable[str], value: Callable[[str], sql.Composable | None]
    ) -> dict[str, sql.Composable]:
        """A new value for each of the columns that count in row k; the others stay as they are in row t.

        Args:
            value: of the name of a column: SQL of its value in row k; None: NULL.
        """
        read: list[sql.Composable] = []
        assignments = [self._assignment(name, value(name), read) for name in names]
        return {
            "read": sql.SQL(", ").join(read or [sql.SQL("1")]),
            "assignments": sql.SQL(", ").join(assignments),
        }

    def _assignment(
        self, name: str, value: sql.Composable | None, read: list[sql.Composable]
    ) -> sql.Composable:
        """What the column is set to; adds what has to be read for that, under names of its own."""

        def known_as(expression: sql.Composable) -> sql.Composable:
            alias = sql.Identifier(f"read {len(read)}")
            read.append(sql.SQL("{} AS {}").format(expression, alias))
            return sql.SQL("k.{}").format(alias)

        assigned = sql.NULL if value is None else known_as(value)
        counts = self.counts(name)
        if counts is not None:
            assigned = sql.SQL("CASE WHEN {} THEN {} ELSE t.{} END").format(
                known_as(counts), assigned, sql.Identifier(name)
            )
        return sql.SQL("{} = {}").format(sql.Identifier(name), assigned)

    # What waits, and what it needs -------------------------------------------------------------------------

    def kinds(self) -> sql.Composable:
        """Query for the kinds of what waits."""
        return sql.SQL("SELECT DISTINCT kind {}").format(self._waiting(KINDS))

    def numbers(self, kinds: Sequence[str]) -> sql.Composable:
        """Query for the numbers of what waits, ascending."""
        return sql.SQL("SELECT number {} ORDER BY number").format(self._waiting(kinds))

    def range_of_numbers(self, kinds: Sequence[str]) -> sql.Composable:
        """Query for the lowest and the highest of them."""
        return sql.SQL("SELECT pg_catalog.min(number), pg_catalog.max(number) {}").format(
            self._waiting(kinds)
        )

    def _waiting(self, kinds: Sequence[str]) -> sql.Composable:
        return sql.SQL("FROM {} WHERE kind = ANY ({}) AND NOT written").format(
            self.work, sql.Literal(list(kinds))
        )

    def unique_columns(self) -> list[str]:
        """Settable columns whose values must differ from row to row, without those of the key."""
        unique = {name for columns in self.table.unique_columns for name in columns}
        return [name for name in self.settable if name in unique and name not in self.key]

    def parent_missing(self, constraint: ForeignKey) -> sql.Composable:
        """Condition: row k refers to a row that is not there, where that can be told.

        Args:
            constraint: one of the table's.
        """
        if constraint.by_cast or not set(constraint.columns) <= set(self.columns):
            return sql.SQL("false")  # the foreign key itself says so then
        values = {name: self.value(name) for name in constraint.columns}
        return sql.SQL("{counts} AND {known} AND NOT EXISTS (SELECT FROM {parent} p WHERE {equal})").format(
            counts=self.any_counts(constraint.columns),
            known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(one) for one in values.values()),
            parent=sql.Identifier(*constraint.parent),
            equal=sql.SQL(" AND ").join(
                equal(sql.Identifier("p", name), values[mine], constraint.own_type)
                for name, mine in zip(constraint.referred, constraint.columns)
            ),
        )

    def any_counts(self, names: Iterable[str]) -> sql.Composable:
        """Condition: row k has a value for one of these columns."""
        parts = []
        for name in names:
            counts = self.counts(name)
            if counts is None:
                return sql.SQL("true")
            parts.append(counts)
        return sql.SQL("({})").format(sql.SQL(" OR ").join(parts))

    def take_out_orphans(self, constraint: ForeignKey) -> sql.Composable:
        """Delete rows again that were added and whose parent was not; gives their numbers, which wait again."""
        return sql.SQL(ORPHANS).format(
            work=self.work,
            missing=self.parent_missing(constraint),
            target=self.table.identifier(),
            now=self.now,
        )
