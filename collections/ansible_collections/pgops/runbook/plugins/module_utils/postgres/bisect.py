# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Doing with many rows what some of them do not bear: all at once, else by halves, down to the single row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..shapes import Cursor
from .connection import psycopg2

__all__ = ["NotTaken", "in_parts", "savepoint"]

# Classes of errors that are about a row and its values; others (a lock that is not to be had, a statement that is
# cancelled, a full disk) are about the moment, and none of the rows' fault (manual, "PostgreSQL Error Codes").
ABOUT_A_ROW = ("22", "23", "42", "44", "0A", "P0")

# Unique and exclusion constraints.
TAKEN = ("23505", "23P01")


class NotTaken(Exception):
    """The table does not take a row, or one of several.

    Attributes:
        reason: PostgreSQL's own sentence.
        values_taken: whether it is because another row has the same unique values.
    """

    def __init__(self, error: psycopg2.Error) -> None:
        self.reason = (error.diag.message_primary if error.diag else None) or " ".join(str(error).split())
        self.values_taken = error.pgcode in TAKEN
        super().__init__(self.reason)


@contextmanager
def savepoint(cursor: Cursor) -> Iterator[None]:
    """Undo what was done inside when it fails because of a row.

    Raises:
        NotTaken: then.
        psycopg2.Error: otherwise; the transaction has failed.
    """
    cursor.execute("SAVEPOINT runbook_part")
    try:
        yield
    except psycopg2.Error as error:
        if not (error.pgcode or "").startswith(ABOUT_A_ROW):
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT runbook_part")
        cursor.execute("RELEASE SAVEPOINT runbook_part")
        raise NotTaken(error) from None
    cursor.execute("RELEASE SAVEPOINT runbook_part")


def in_parts(
    cursor: Cursor, action: Callable[[int, int], object], low: int, high: int
) -> dict[int, NotTaken]:
    """Do ``action`` for the numbers of a range, without those that do not bear it.

    Of n rows of which k fail, some k * log2(n / k) parts are tried.

    Args:
        cursor: of a transaction.
        action: function of (low, high), both inclusive, that raises psycopg2.Error.
        low, high: the range.

    Returns:
        dict: number -> NotTaken, of those for which it failed when it was done for them alone.
    """
    try:
        with savepoint(cursor):
            action(low, high)
    except NotTaken as failure:
        if low == high:
            return {low: failure}
        middle = (low + high) // 2
        return {**in_parts(cursor, action, low, middle), **in_parts(cursor, action, middle + 1, high)}
    return {}
