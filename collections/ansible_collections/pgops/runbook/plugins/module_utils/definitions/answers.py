# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Questions about what a migration changes, answered from the database as it is."""

from __future__ import annotations

from collections.abc import Sequence

from ..postgres.connection import transaction
from ..postgres.session import pin_session, restore_session
from ..shapes import Connection, Cursor, Json, Target
from .dumped import Entry, made_again, read_dump
from .objects import context, find, object_facts

__all__ = ["answers_to"]

#: A question of its own: see objects.context.
CONTEXT = "context"


def answers_to(
    questions: Sequence[Json], connection: Connection, target: Target, bindir: str
) -> list[Json | None]:
    """An answer each, None where there is no such object. Writes nothing.

    Args:
        questions: each with "type", "names", "args", "path" (see objects.find); with "dump" the statements that make it
            again are wanted, "cascade" with what rests on it, "beside" a list of further objects dropped with it.

    Raises:
        Refused, StepFailed: pg_dump is not there, or failed.
        psycopg2.Error: the database cannot be read.
    """
    entries = read_dump(target, bindir) if any(question.get("dump") for question in questions) else []
    with transaction(connection) as cursor:
        previous = pin_session(cursor, local=True)
        around = context(cursor)
        answers = [
            around if question["type"] == CONTEXT else _answer(cursor, question, entries, around["user"])
            for question in questions
        ]
        restore_session(cursor, previous, local=True)
    return answers


def _answer(cursor: Cursor, question: Json, entries: Sequence[Entry], user: str) -> Json | None:
    address = find(cursor, question)
    if address is None:
        return None
    facts = object_facts(cursor, address)
    if question.get("dump"):
        beside = [find(cursor, other) for other in question.get("beside") or []]
        addresses = [address, *(one for one in beside if one is not None)]
        facts["made"] = made_again(cursor, entries, addresses, bool(question.get("cascade")), user)
    return facts
