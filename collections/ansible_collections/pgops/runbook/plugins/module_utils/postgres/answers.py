# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the answer to a query that always has a row."""

from __future__ import annotations

from typing import Any

from ..shapes import Cursor

__all__ = ["has_relation", "one_row"]


def one_row(cursor: Cursor) -> tuple[Any, ...]:
    """The next row of an answer of which the query itself makes sure that there is one (``SELECT count(*)``, say).

    Raises:
        LookupError: there is none, which is a defect of the query.
    """
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a query that always has a row gave none")
    return row


def has_relation(cursor: Cursor, name: str) -> bool:
    """Whether there is a table, view or index of that name, which is written as in SQL: ``runbook.receipt``."""
    cursor.execute("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (name,))
    found: bool = one_row(cursor)[0]
    return found
