# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Doing with many rows what some of them do not bear: all at once, else by halves, down to the single row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..shapes import Cursor
from .connection import psycopg2
from .message import one_line

__all__ = ["NotTaken", "bisect", "savepoint"]

# Classes of errors that are about a row and its values; others (a lock that is not to be had, a statement that is
# cancelled, a full disk) are about the moment, and none of the rows' fault (manual, "PostgreSQL Error Codes").
ABOUT_A_ROW = ("22", "23", "42", "44", "0A", "P0")

# "cannot ALTER TABLE ... because it has pending trigger events": the rows can still be written without altering it.
PENDING_CHECKS = ("55006",)

# Unique and exclusion constraints.
TAKEN = ("23505", "23P01")

FOREIGN_KEY = "23503"


class NotTaken(Exception):
    """The table does not take a row, or one of several.

    Attributes:
        reason: PostgreSQL's own sentence.
        values_taken: whether it is because another row has the same unique values.
        reference: PostgreSQL's detail where a foreign key is violated: which key is missing, or still referred to.
    """

    def __init__(self, error: psycopg2.Error | None = None, reason: str = "") -> None:
        """
        Args:
            error: PostgreSQL's; without one ``reason`` is the sentence.
        """
        sqlstate = error.pgcode if error else None
        self.reason: str = one_line(error) if error else reason
        self.values_taken: bool = sqlstate in TAKEN
        # Details of other errors quote the row, and people's data do not belong in a report.
        self.reference: str | None = error.diag.message_detail if error and sqlstate == FOREIGN_KEY else None
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
    except NotTaken:
        _undo(cursor)
        raise
    except psycopg2.Error as error:
        if not (error.pgcode or "").startswith(ABOUT_A_ROW + PENDING_CHECKS):
            raise
        _undo(cursor)
        raise NotTaken(error) from None
    cursor.execute("RELEASE SAVEPOINT runbook_part")


def _undo(cursor: Cursor) -> None:
    cursor.execute("ROLLBACK TO SAVEPOINT runbook_part")
    cursor.execute("RELEASE SAVEPOINT runbook_part")


def bisect(cursor: Cursor, action: Callable[[int, int], None], numbers: Sequence[int]) -> dict[int, NotTaken]:
    """Do ``action`` for numbered rows, without those that do not bear it.

    Of n rows of which k fail, some k * log2(n / k) parts are tried.

    Args:
        cursor: of a transaction.
        action: function of (lowest, highest number of a part), both inclusive, that raises psycopg2.Error.
        numbers: in ascending order; what is between two of them is none of the action's rows.

    Returns:
        dict: number -> NotTaken, of those for which it failed when it was done for them alone.
    """
    if not numbers:
        return {}
    try:
        with savepoint(cursor):
            action(numbers[0], numbers[-1])
    except NotTaken as failure:
        if len(numbers) == 1:
            return {numbers[0]: failure}
        middle = len(numbers) // 2
        return {
            **bisect(cursor, action, numbers[:middle]),
            **bisect(cursor, action, numbers[middle:]),
        }
    return {}
