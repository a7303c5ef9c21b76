# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A statement that changes many rows of one table, carried out in batches of which each is committed.

A batch is what the statement finds in a range of pages of the table (manual, "TID Range Scan"), so that the table is
read once from its beginning to its end, however many batches there are. A row that is changed gets another place, maybe
in a later range or, written by others, in an earlier one. So the statement's own condition has to leave out what it has
changed: that is what makes it safe to come by a row twice, and to begin again after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from ..activity import advance, begin
from ..errors import known
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..shapes import Cursor, InBatches, Statement, Timing
from .alike import add_timing

__all__ = ["Batches", "TooManyRows"]

#: 128 MB: a range without a row to be changed is read in one go, and has to end before statement_timeout does.
WIDEST_PAGES = 2**14

#: Where the planner has no figure: of a table that was never analysed.
ROWS_OF_A_PAGE = 50.0

# Pages of the table, or of the largest one of those that inherit from it, and how many rows the planner takes them to
# have; ranges of pages are the same in all of them.
EXTENT = """
    WITH RECURSIVE part (oid) AS (
        SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN part ON i.inhparent = part.oid WHERE NOT %s)
    SELECT coalesce(max(pg_catalog.pg_relation_size(c.oid)
                        / pg_catalog.current_setting('block_size')::pg_catalog.int8), 0)::pg_catalog.int8,
           coalesce(sum(greatest(c.reltuples, 0)), 0)::pg_catalog.float8
    FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid"""

RANGE = "ctid OPERATOR(pg_catalog.>=) {} AND ctid OPERATOR(pg_catalog.<) {}"


class TooManyRows(Exception):
    """More rows are to be changed in a range than a batch may have."""


class Batches:
    """The batches of one statement.

    Args:
        statement: with its parts in ``batches``.
        name: of the script, for who watches.

    Attributes:
        committed: how many there were.
        timing: of all of them together; None before the first.
    """

    def __init__(self, statement: Statement, name: str) -> None:
        self.statement = statement
        self.parts: InBatches = known(statement["batches"], "the parts of a statement in batches")
        self.what = f"{name} line {statement['line']}: pages"
        self.committed = 0
        self.timing: Optional[Timing] = None

    def once(
        self,
        extent: tuple[int, int],
        commit: Callable[[int, int], Optional[Timing]],
        between: Callable[[], None],
    ) -> bool:
        """Go through the table once, from its first page to the one that was its last when the extent was asked.

        Args:
            extent: as ``extent`` gave it.
            commit: function (first page, number of pages) -> timing of the batch, or None where nothing was to be
                changed; it carries out ``changing`` in a transaction of its own, and may raise TooManyRows.
            between: called after each batch.

        Returns:
            whether a row was changed.
        """
        pages, width = extent
        begin(self.what, pages)
        before, first = self.committed, 0
        while first < pages:
            try:
                timing = commit(first, width)
            except TooManyRows:
                width = max(1, width // 2)
                continue
            first += width
            advance(width)
            if timing is not None:
                self._add(timing)
                between()
            if timing is None or (timing["rows"] or 0) * 2 < self.parts["rows"]:
                width = min(width * 2, WIDEST_PAGES)
        return self.committed > before

    def changing(self, cursor: Cursor, first: int, pages: int) -> Statement | None:
        """The statement for one range; None where it would find no row there.

        Raises:
            TooManyRows: where it would find more than a batch may have, in more than one page.
        """
        within = sql.SQL(RANGE).format(*(_first_of_page(page) for page in (first, first + pages)))
        condition = sql.SQL("({}\n) AND {}").format(sql.SQL(self.parts["condition"]), within)
        limit = self.parts["rows"] + 1
        cursor.execute(
            sql.SQL(
                "SELECT pg_catalog.count(*) FROM (SELECT FROM {} WHERE {} LIMIT {}) AS runbook_batch"
            ).format(sql.SQL(self.parts["target"]), condition, sql.Literal(limit))
        )
        found = one_row(cursor)[0]
        if found == limit and pages > 1:
            raise TooManyRows
        if not found:
            return None
        text = sql.SQL("{}\nWHERE {}").format(sql.SQL(self.parts["change"]), condition)
        return {**self.statement, "sql": text.as_string(cursor)}

    def finds_more(self, cursor: Cursor) -> bool:
        """Whether the statement's condition finds a row now."""
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})")
        cursor.execute(query.format(*(sql.SQL(self.parts[key]) for key in ("target", "condition"))))
        return one_row(cursor)[0]

    def extent(self, cursor: Cursor) -> tuple[int, int]:
        """Pages of the table, and with how many to begin.

        Args:
            cursor: of a session in which the statement's names mean what they mean to the script.
        """
        name = sql.Identifier(*filter(None, self.parts["table"])).as_string(cursor)
        cursor.execute(EXTENT, (name, self.parts["only"]))
        pages, rows = one_row(cursor)
        a_page = rows / pages if pages and rows else ROWS_OF_A_PAGE
        return pages, max(1, min(int(self.parts["rows"] / max(1.0, a_page)), WIDEST_PAGES))

    def whole(self) -> Timing:
        """Of the statement as one; all of it is none where no row was to be changed."""
        nothing: Timing = {
            "line": self.statement["line"],
            "kind": self.statement["kind"],
            "seconds": 0.0,
            "rows": 0,
            "batches": 0,
            "wal_bytes": 0,
            "locks": [],
            "rewritten": [],
        }
        return self.timing or nothing

    def _add(self, timing: Timing) -> None:
        self.committed += 1
        if self.timing is None:
            self.timing = {**timing, "batches": 1}
            return
        whole = self.timing
        whole["batches"] = self.committed
        add_timing(whole, timing)


def _first_of_page(page: int) -> sql.Composable:
    return sql.SQL("{}::pg_catalog.tid").format(sql.Literal(f"({page},0)"))
