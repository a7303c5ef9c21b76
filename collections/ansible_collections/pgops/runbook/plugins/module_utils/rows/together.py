# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing the rows of several tables over together: parents first, and what does not go is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..postgres.bisect import NotTaken, savepoint
from ..postgres.references import Reference, checked_at_the_end, parents_first
from ..postgres.triggers import triggers_and_rules_off
from ..shapes import Cursor
from .changes import ADDED, CHANGED, DELETED, TableChanges
from .policies import LEAVE
from .writing import TableWriter, take_out_orphans, written_as_ring

__all__ = ["LeftRow", "write_together"]


class LeftRow(NamedTuple):
    """A row that was not written: the name of its table, its kind and number in the work table, and why."""

    table: tuple[str, str]
    kind: str
    number: int
    reason: str


def write_together(
    cursor: Cursor, changes: Sequence[TableChanges], references: Sequence[Reference]
) -> list[LeftRow]:
    """Write all that waits.

    First all at once, with the checks of deferrable constraints at the end; then with those of all foreign keys at the
    end, so that rings of references are no obstacle. Where that fails, table by table and ring by ring, over and over
    as long as that brings rows over.

    Args:
        cursor: of a transaction in a database that nobody else writes to.
        changes: of each table.
        references: foreign keys of the database.

    Returns:
        The rows that were left.
    """
    writing = _Together(cursor, changes, references)
    with triggers_and_rules_off(cursor):
        # Foreign keys are made to wait only where that is needed: where tables reference each other in a ring, or a
        # row leaves a parent that goes.
        if writing.all_at_once([]) or (writing.strict and writing.all_at_once(writing.strict)):
            return []
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return writing.bisect()


class _Together:
    """Several tables in the order of their foreign keys."""

    def __init__(
        self, cursor: Cursor, changes: Sequence[TableChanges], references: Sequence[Reference]
    ) -> None:
        self.cursor = cursor
        self.writers = {one.table.name: TableWriter(cursor, one, LEAVE) for one in changes}
        self.kinds = {name: writer.kinds() for name, writer in self.writers.items()}
        self.references = references
        self.groups = parents_first(self.writers, [(one.child, one.parent) for one in references])
        # Those that are checked with each statement, unless they are made to wait.
        self.strict = [one for one in references if one.child in self.writers and not one.deferrable]

    def _stages(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Kinds and groups of tables in the order in which they are written."""
        return [
            *((DELETED, group) for group in reversed(self.groups)),
            *((kind, group) for kind in (ADDED, CHANGED) for group in self.groups),
        ]

    def all_at_once(self, waiting: Sequence[Reference]) -> bool:
        """Whether all rows went; these foreign keys are checked at the end."""
        try:
            with savepoint(self.cursor), checked_at_the_end(self.cursor, waiting):
                for kind, group in self._stages():
                    for name in group:
                        if kind in self.kinds[name]:
                            self.writers[name].write_all(kind)
        except NotTaken:
            return False  # which rows it is about is found out in parts
        return True

    def bisect(self) -> list[LeftRow]:
        left = {
            (kind, name): dict.fromkeys(self.writers[name].waiting((kind,)), "")
            for kind, group in self._stages()
            for name in group
        }
        before = -1
        while before != (before := sum(map(len, left.values()))):
            for kind, group in self._stages():
                members = [name for name in group if left[kind, name]]
                if members:
                    found = self._write_group(kind, members, [sorted(left[kind, name]) for name in members])
                    left.update({(kind, name): reasons for name, reasons in zip(members, found)})
        return [
            LeftRow(name, kind, number, reason)
            for (kind, name), reasons in left.items()
            for number, reason in reasons.items()
        ]

    def _write_group(
        self, kind: str, members: list[tuple[str, str]], numbers: list[list[int]]
    ) -> list[dict[int, str]]:
        """Number -> reason, for each of the members, of those that were not written."""
        ring = [one for one in self.references if one.child in members and one.parent in members]
        writers = [self.writers[name] for name in members]
        if ring:
            try:
                clearing = writers if kind == CHANGED else []
                with savepoint(self.cursor), written_as_ring(self.cursor, ring, clearing):
                    failing = [writer.write((kind,), some) for writer, some in zip(writers, numbers)]
                    if kind == ADDED:
                        for reasons, more in zip(failing, take_out_orphans(writers, members)):
                            reasons.update(more)
                return failing
            except NotTaken:
                pass  # one by one, each with the reason of its own
        return [writer.write((kind,), some) for writer, some in zip(writers, numbers)]
