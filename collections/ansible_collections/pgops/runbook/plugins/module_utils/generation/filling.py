# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting rows into one table: all at once, else one by one, with other values for what is not taken.

These are ordinary INSERTs, by the role that the migrations run with: constraints, triggers, rules and policies of the
application act on them as on rows of its users, and what they refuse is named.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..postgres.answers import one_row
from ..postgres.connection import psycopg2, sql
from ..postgres.message import one_line
from ..postgres.script_session import on_role_path
from ..shapes import Cursor
from .candidates import DEFAULT, Candidates, Row
from .expressions import constants_in
from .tables import Table

__all__ = ["Filled", "NotInserted", "count_up_to", "put_in", "undone_on_error"]

# Rows of one INSERT; how often another row is tried for one that was not taken; how many in a row may fail then.
TOGETHER = 200
ATTEMPTS = 40
FAILURES = 2

# Seconds for one table, after which the rows that it has by then are all; and for one statement.
TABLE_SECONDS = 30.0
STATEMENT_SECONDS = 5

# Nothing that other values would change: a statement that was cancelled, a lock, a right, a function that is not there,
# room (manual, "PostgreSQL Error Codes").
HOPELESS = ("57", "55", "42", "53", "54", "25", "XX")

NO_TIME = "there was no time for more"
KEY_TAKEN = ("23505", "23P01")


class NotInserted(Exception):
    """A row or several were not taken.

    Attributes:
        reason: PostgreSQL's own sentence.
        hopeless: whether no other values would be taken either.
        constraint, column, data_type: what PostgreSQL names, or None.
        sqlstate: its code.
    """

    def __init__(self, error: psycopg2.Error) -> None:
        self.reason: str = one_line(error)
        self.sqlstate: str = error.pgcode or ""
        self.hopeless = self.sqlstate.startswith(HOPELESS)
        self.constraint: str | None = error.diag.constraint_name
        self.column: str | None = error.diag.column_name
        self.data_type: str | None = error.diag.datatype_name
        super().__init__(self.reason)


@dataclass(frozen=True)
class Filled:
    """What became of one table.

    Attributes:
        table: its name as SQL writes it.
        wanted: how many rows it was to get; ``rows``: how many it got.
        reason: why it got fewer, or None.
    """

    table: str
    wanted: int
    rows: int
    reason: str | None = None


@contextmanager
def undone_on_error(cursor: Cursor) -> Iterator[None]:
    """Undo what was done inside when it fails, whatever the reason.

    Raises:
        NotInserted: then.
        psycopg2.Error: the connection is gone.
    """
    cursor.execute("SAVEPOINT runbook_generated")
    try:
        yield
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT runbook_generated")
        cursor.execute("RELEASE SAVEPOINT runbook_generated")
        raise NotInserted(error) from None
    cursor.execute("RELEASE SAVEPOINT runbook_generated")


def count_up_to(cursor: Cursor, table: Table, limit: int) -> int:
    """Number of its rows, or ``limit`` where there are as many or more."""
    cursor.execute(
        sql.SQL("SELECT pg_catalog.count(*) FROM (SELECT FROM {} LIMIT {}) AS found").format(
            table.source(), sql.Literal(limit)
        )
    )
    return one_row(cursor)[0]


def put_in(cursor: Cursor, candidates: Candidates, first: int, wanted: int) -> Filled:
    """Put rows into a table.

    Args:
        cursor: of a transaction, with pinned settings.
        candidates: of that table, with all that they need.
        first: the place of the first one.
        wanted: how many.

    Raises:
        psycopg2.Error: the connection is gone.
    """
    cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (f"{STATEMENT_SECONDS}s",))
    with on_role_path(cursor):
        inserter = _Inserter(cursor, candidates)
        reason = inserter.insert(first, wanted)
    if inserter.taken < wanted and reason is None:
        reason = "its rows were taken, and are not there: a trigger or a rule takes them away"
    return Filled(candidates.table.quoted, wanted, inserter.taken, reason)


class _Inserter:
    """Inserts rows of one table, and learns from what is not taken."""

    def __init__(self, cursor: Cursor, candidates: Candidates) -> None:
        self.cursor = cursor
        self.candidates = candidates
        self.table = candidates.table
        self.taken = 0
        self.good: Row | None = None
        self.head = _head(self.table, bool(candidates.planned)).as_string(cursor).encode()
        self.ends = time.monotonic() + TABLE_SECONDS
        self._failures = 0
        self._failed: str | None = None

    def insert(self, first: int, wanted: int) -> str | None:
        """Insert; why not all of them were taken, or None."""
        for begin in range(first, first + wanted, TOGETHER):
            end = min(begin + TOGETHER, first + wanted)
            reason = self._part([self.candidates.row(place) for place in range(begin, end)])
            if reason is not None:
                return reason
        return self._failed

    def _part(self, rows: Sequence[Row]) -> str | None:
        """Insert rows together, else by halves; why it is of no use to go on, or None."""
        if time.monotonic() > self.ends:
            return self._failed or NO_TIME
        try:
            self._send(rows)
        except NotInserted as failure:
            if failure.hopeless:
                return failure.reason
            if len(rows) == 1:
                return self._single(rows[0], failure)
            middle = len(rows) // 2
            return self._part(rows[:middle]) or self._part(rows[middle:])
        self.good = rows[-1]
        self._failures = 0
        return None

    def _single(self, row: Row, failure: NotInserted) -> str | None:
        reason = self._try(row, failure)
        self._failures = 0 if reason is None else self._failures + 1
        self._failed = reason or self._failed
        return self._failed if self._failures == FAILURES else None

    def _try(self, row: Row, failure: NotInserted) -> str | None:
        """Insert a row that was not taken, with other values over and over; why that did not do, or None."""
        reason = failure.reason
        for attempt in range(1, ATTEMPTS + 1):
            columns, constants = self._blamed(failure)
            row = self.candidates.changed(row, columns, constants, attempt, self.good)
            try:
                self._send([row])
            except NotInserted as again:
                failure = again
                if failure.hopeless or time.monotonic() > self.ends:
                    return failure.reason
            else:
                self.good = row
                return None
        return reason

    def _blamed(self, failure: NotInserted) -> tuple[list[str], list[str]]:
        """(columns that a failure is about, constants of the condition that was not met)."""
        table = self.table
        if failure.column is not None:
            return [failure.column], []
        for rule in (*table.checks, *table.unique, *table.others):
            if failure.constraint == rule.name:
                return list(rule.columns), constants_in(rule.text)
        for key in table.foreign_keys:
            if failure.constraint == key.name:
                return list(key.columns), []
        if failure.sqlstate in KEY_TAKEN:
            # A key of a partition has a name of its own.
            return sorted({name for rule in (*table.unique, *table.others) for name in rule.columns}), []
        if failure.data_type is not None:
            blamed = [column for column in table.columns if column.type.name == failure.data_type]
            texts = [check for column in blamed for check in column.type.checks]
            return [column.name for column in blamed], [one for text in texts for one in constants_in(text)]
        if failure.sqlstate == "23514" and table.partitions:
            bounds = [bound for partition in table.partitions for bound in partition]
            columns = dict.fromkeys(name for bound in bounds for name in bound.columns)
            return list(columns), [one for bound in bounds for one in constants_in(bound.text)]
        return [], []

    def _send(self, rows: Sequence[Row]) -> None:
        taken = 0
        with undone_on_error(self.cursor):
            for statement in self._statements(rows):
                self.cursor.execute(statement)
                taken += max(self.cursor.rowcount, 0)
        self.taken += taken

    def _statements(self, rows: Sequence[Row]) -> Iterator[bytes]:
        if self.table.columns:
            yield self.head + b", ".join(map(self._written, rows))
        else:
            yield from [self.head] * len(rows)

    def _written(self, row: Row) -> bytes:
        """A row as literals, which PostgreSQL reads as whatever their columns are."""
        places = ", ".join("DEFAULT" if one is DEFAULT else "%s" for one in row.values())
        return self.cursor.mogrify(f"({places})", [one for one in row.values() if one is not DEFAULT])


def _head(table: Table, planned: bool) -> sql.Composable:
    """What stands before the rows."""
    into = sql.Identifier(*table.name)
    if not table.columns:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(into)
    return sql.SQL("INSERT INTO {} ({}) {} VALUES ").format(
        into,
        sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns),
        sql.SQL("OVERRIDING SYSTEM VALUE" if planned else ""),
    )
