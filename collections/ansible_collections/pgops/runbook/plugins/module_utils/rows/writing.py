# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing rows into a living table: all at once, else what goes, and the rest with its reasons.

The one engine for rows that come back from where they were kept and for rows of another database; a policy says what
becomes of those that do not go. Everything happens in the transaction of the cursor, whose triggers and rules the
caller has switched off (postgres.triggers).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from ..postgres.answers import one_row
from ..postgres.bisect import NotTaken, bisect, savepoint
from ..postgres.connection import sql
from ..postgres.references import Reference, checked_at_the_end
from ..postgres.tables import nulls_allowed
from ..shapes import Cursor
from .changes import ADDED, CHANGED, TableChanges
from .policies import PARENT_GONE, Policy

__all__ = ["TableWriter", "take_out_orphans", "written_as_ring"]

NOT_FOUND = "its row was changed or deleted while others were written"


class TableWriter:
    """Writes what waits for one table.

    Args:
        cursor: of a transaction, with pinned settings.
        changes: what waits.
        policy: what becomes of a row that does not go.
    """

    def __init__(self, cursor: Cursor, changes: TableChanges, policy: Policy) -> None:
        self.cursor = cursor
        self.changes = changes
        self.policy = policy
        self._left: dict[int, str] = {}

    def kinds(self) -> set[str]:
        """Of what waits."""
        self.cursor.execute(self.changes.kinds())
        return {kind for (kind,) in self.cursor.fetchall()}

    def waiting(self, kinds: Sequence[str]) -> list[int]:
        """Numbers of the rows of these kinds that are not written yet, ascending."""
        self.cursor.execute(self.changes.numbers(kinds))
        return [number for (number,) in self.cursor.fetchall()]

    def _range(self, kinds: Sequence[str]) -> range:
        """From the lowest to the highest of their numbers; quicker to have than the numbers themselves."""
        self.cursor.execute(self.changes.range_of_numbers(kinds))
        lowest, highest = one_row(self.cursor)
        return range(0) if lowest is None else range(lowest, highest + 1)

    def write(self, kinds: Sequence[str], numbers: Sequence[int] | None = None) -> dict[int, str]:
        """All at once where that goes, else in parts, over and over as long as that brings rows in.

        Args:
            kinds: what is written, in this order.
            numbers: ascending, where those that wait of these kinds are known.

        Returns:
            dict: number -> reason, of the rows that were not written.
        """
        bounds = self._range(kinds) if numbers is None else numbers
        self._left = {}
        if bounds:
            self._follow()
        # Where all went nothing waits any more, and no row has to be marked.
        if bounds and not any(self._goes(way, bounds) for way in self._ways(kinds)):
            failing = self._write_in_parts(kinds, self.waiting(kinds) if numbers is None else numbers)
            may_rewrite = failing and self.policy.rewrites and tuple(kinds) == (CHANGED,)
            if not (may_rewrite and self._goes(self._rewrite, sorted(failing))):
                self._left = {number: self.policy.reason(failure) for number, failure in failing.items()}
        return self._left

    def write_all(self, kind: str) -> None:
        """All of one kind in one statement, for the caller to undo where it fails.

        Raises:
            psycopg2.Error: one of the rows does not go.
            NotTaken: one of the rows that are to be changed is not found.
        """
        self._follow()
        self._execute(self.changes.write(kind))
        self._see_all_changed(kind)

    def _ways(self, kinds: Sequence[str]) -> list[Callable[[int, int], None]]:
        """Ways to write all at once."""
        ways: list[Callable[[int, int], None]] = [partial(self._write, kinds)]
        names = self.changes.unique_columns() if CHANGED in kinds else []
        if names:
            ways.append(partial(self._clear_and_write, names, kinds))
        return ways

    def _write_in_parts(self, kinds: Sequence[str], numbers: Sequence[int]) -> dict[int, NotTaken]:
        self._index_numbers()
        part = partial(self._write_part, kinds)
        before, failing = len(numbers), bisect(self.cursor, part, numbers)
        while 0 < len(failing) < before:
            before, failing = len(failing), bisect(self.cursor, part, sorted(failing))
        return failing

    def _index_numbers(self) -> None:
        """Parts are many, and each is looked up by its numbers."""
        work = self.changes.work
        self.cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = %s::pg_catalog.regclass)",
            (work.as_string(self.cursor),),
        )
        if not one_row(self.cursor)[0]:
            statement = "CREATE UNIQUE INDEX ON {work} (number); ANALYZE {work} (number, kind, written)"
            self.cursor.execute(sql.SQL(statement).format(work=work))

    def _goes(self, way: Callable[[int, int], None], numbers: Sequence[int]) -> bool:
        try:
            with savepoint(self.cursor):
                way(numbers[0], numbers[-1])
        except NotTaken:
            return False
        return True

    def _write(self, kinds: Sequence[str], low: int, high: int) -> None:
        for kind in kinds:
            self._execute(self.changes.write(kind, low, high))
            self._see_all_changed(kind, low, high)

    def _follow(self) -> None:
        """Writing other tables may have written rows of this one anew, by an action of a foreign key."""
        self.cursor.execute(*self.changes.may_be_moved())
        if one_row(self.cursor)[0]:
            self.cursor.execute(self.changes.follow())

    def _see_all_changed(self, kind: str, *numbers: int) -> None:
        """A row that is not found is not written, and nobody would hear of it.

        Raises:
            NotTaken: rows that wait for being changed were not.
        """
        if kind != CHANGED or not self.changes.settable:
            return
        changed = self.cursor.rowcount
        self.cursor.execute(self.changes.count(kind, *numbers))
        if changed != one_row(self.cursor)[0]:
            raise NotTaken(reason=NOT_FOUND)

    def _write_part(self, kinds: Sequence[str], low: int, high: int) -> None:
        self._write(kinds, low, high)
        self.cursor.execute(self.changes.mark_written(kinds, low, high))

    def _execute(self, statement: sql.Composable | None) -> None:
        if statement is not None:
            self.cursor.execute(statement)

    def _clear_and_write(self, names: Sequence[str], kinds: Sequence[str], low: int, high: int) -> None:
        """Unique values that have changed places are taken out of all rows before the first is set."""
        with nulls_allowed(self.cursor, self.changes.table, names):
            self.cursor.execute(self.changes.clear(names, low, high))
            self._write(kinds, low, high)

    def _rewrite(self, low: int, high: int) -> None:
        self.cursor.execute(self.changes.rewrite(low, high))

    def mark_added(self) -> None:
        """Mark the rows that were added by the last write()."""
        self.cursor.execute(self.changes.mark_written_but(ADDED, list(self._left)))

    def take_out_orphans(self, parents: Collection[tuple[str, str]]) -> dict[int, str]:
        """Take rows out again that were added and whose parent, in one of these tables, was not.

        Returns:
            dict: number -> reason.
        """
        reasons: dict[int, str] = {}
        for constraint in self.changes.table.foreign_keys:
            if constraint.parent in parents:
                self.cursor.execute(self.changes.take_out_orphans(constraint))
                reason = PARENT_GONE.format(".".join(constraint.parent))
                reasons.update((number, reason) for (number,) in self.cursor.fetchall())
        return reasons


@contextmanager
def written_as_ring(
    cursor: Cursor, references: Iterable[Reference], clearing: Iterable[TableWriter]
) -> Iterator[None]:
    """Inside, rows of tables that refer to each other may be written in any order.

    Args:
        cursor: of a transaction.
        references: foreign keys, which are checked at the end.
        clearing: of these tables unique values may be taken out inside; while checks are pending PostgreSQL refuses
            to set NOT NULL again.

    Raises:
        psycopg2.Error: at the end, when a foreign key does not hold.
    """
    with ExitStack() as stack:
        for writer in clearing:
            changes = writer.changes
            stack.enter_context(nulls_allowed(cursor, changes.table, changes.unique_columns()))
        stack.enter_context(checked_at_the_end(cursor, references))
        yield


def take_out_orphans(
    writers: Sequence[TableWriter], parents: Collection[tuple[str, str]]
) -> list[dict[int, str]]:
    """Take rows out again whose parent was not written, and those that refer to these in turn.

    For tables that refer to each other in a ring: a parent among the rows themselves can only be asked for when they
    are all written, while foreign keys wait (see written_as_ring).

    Args:
        writers: of the tables of the ring.
        parents: names of these tables.

    Returns:
        number -> reason, for each of the writers.
    """
    for writer in writers:
        writer.mark_added()
    taken_out: list[dict[int, str]] = [{} for _ in writers]
    while any(more := [writer.take_out_orphans(parents) for writer in writers]):
        for reasons, new in zip(taken_out, more):
            reasons.update(new)
    return taken_out
