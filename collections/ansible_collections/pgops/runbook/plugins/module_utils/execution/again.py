# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applying a migration once more on what its rollback has left, in the rollback's transaction, to be undone.

It shows what the migration makes of the rows by itself (see salvage.keeping.base). Statements that commit one by one
in production are run here in the form that a transaction allows: what they do to rows is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import StepFailed
from ..postgres.constraints import constraints_as_declared
from ..postgres.script_session import scripts_turn
from ..shapes import Cursor, Runnable, Statement
from .hooks import Work
from .labels_left import if_not_exists
from .parts import parts_of
from .script import apply_migration, run_script

__all__ = ["apply_again", "in_a_transaction"]

# Of statements that forbid a transaction these do something to the schema, and can do it without this word.
CONCURRENTLY = re.compile(
    r"(?is)^(?P<before>(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:CREATE|DROP)\b.*?\bINDEX\s+)CONCURRENTLY\b"
)

# These give a type another label.
ALTER_TYPE = re.compile(r"(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*ALTER\s+TYPE\b")


def apply_again(cursor: Cursor, work: Work) -> None:
    """Finish the rollback and apply its migration.

    Args:
        cursor: of the transaction in which the rollback has changed its rows.
        work: the rollback.

    Raises:
        StepFailed: a statement failed.
        psycopg2.Error: a lock was not to be had.
    """
    if work.one_by_one:
        rest = [one for part in _parts_after_rows_changed(work) for one in part]
        with scripts_turn(cursor) as limits:
            script: Runnable = {"name": work.script["name"], "statements": in_a_transaction(rest)}
            run_script(cursor, script, limits=limits)
    apply = work.migration["apply"]
    if not apply["statements"]:
        raise StepFailed("statement_failed", f"{apply['name']} has no statement that can be run")
    # The rollback has ended with all of them immediate; the migration begins a transaction of its own.
    constraints_as_declared(cursor)
    statements = in_a_transaction(apply["statements"])
    apply_migration(cursor, {**work.migration, "apply": {**apply, "statements": statements}})


def _parts_after_rows_changed(work: Work) -> list[list[Statement]]:
    parts = parts_of(work.script, "rollback")
    changing = [position for position, part in enumerate(parts) if part.changes_rows]
    return [part.statements for part in parts[changing[0] + 1 :]] if changing else []


def in_a_transaction(statements: Iterable[Statement]) -> list[Statement]:
    """The statements in the form that a transaction allows, without those that change neither schema nor rows."""
    allowed: list[Statement] = []
    for statement in statements:
        plain = CONCURRENTLY.sub(r"\g<before>", statement["sql"])
        if not statement["outside_transaction"] or plain != statement["sql"] or ALTER_TYPE.match(plain):
            # A label is there still: no rollback takes it away.
            allowed.append({**statement, "sql": if_not_exists(plain)})
    return allowed
