# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The place where definitions are made anew: temporary objects of one name, each gone before the next is made."""

from __future__ import annotations

from ..postgres.answers import one_row
from ..shapes import Cursor
from .one_statement import is_one_statement

__all__ = ["NAME", "PLACE", "NotMade", "expression", "like", "send", "view"]

# Its name is in no text of the application's, and the table that has it is gone before anybody can see it.
NAME = "runbook_made_anew"
PLACE = f"pg_temp.{NAME}"


class NotMade(Exception):
    """The text is none that could be made here."""


def send(cursor: Cursor, statement: str) -> None:
    """Each text and name of a catalog goes to the server through here."""
    if not is_one_statement(statement):
        raise NotMade
    cursor.execute(statement)


def view(cursor: Cursor, query: str) -> str:
    """The text of a view of a query."""
    send(cursor, f"CREATE VIEW {PLACE} AS {query}")
    cursor.execute(f"SELECT pg_get_viewdef('{PLACE}'::regclass)")
    return one_row(cursor)[0]


def expression(cursor: Cursor, text: str, source: str = "") -> str:
    """The text of a view with an expression as its only column.

    Args:
        source: FROM clause with the table whose columns it names.
    """
    return view(cursor, f"SELECT ({text}) AS made {source}")


def like(cursor: Cursor, table: str, clauses: str = "") -> None:
    """Make an empty table like another one, in PLACE."""
    send(cursor, f"CREATE TABLE {PLACE} (LIKE {table}) {clauses}")
