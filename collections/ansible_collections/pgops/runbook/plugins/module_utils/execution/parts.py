# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of a script whose statements commit one by one: what is committed together.

An apply script commits statement by statement, as its header or its statements demand. Of a rollback the statements
that stand together and may be in a transaction are one part, so that what they destroy is kept as that of any other
rollback; only one part may destroy something.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from ..shapes import Script, Statement

__all__ = ["Part", "commits_one_by_one", "does_nothing", "lines_of_changes", "parts_of", "sets_session"]

# The other form of SET, in which pg_dump writes search_path.
SET_CONFIG = re.compile(r"(?is)^\s*SELECT\s+(pg_catalog\s*\.\s*)?set_config\s*\(")


def commits_one_by_one(script: Script | None) -> bool:
    """Whether a script says, or its statements demand, that it is not run as one transaction."""
    if not script:
        return False
    return script.get("transaction") == "none" or bool(script["forbids_transaction"])


def does_nothing(script: Script) -> bool:
    """Whether all that a script has is ``SELECT 'words'``, so that there is nothing to take back."""
    statements = script["statements"]
    return bool(statements) and all(
        one["kind"] == "SelectStmt" and not one.get("changes_rows", True) for one in statements
    )


def sets_session(statement: Statement) -> bool:
    """Whether a statement does nothing but set something of the session, so that it may be said again."""
    return statement["kind"] == "VariableSetStmt" or SET_CONFIG.match(statement["sql"]) is not None


@dataclass(frozen=True)
class Part:
    """Statements that commit together.

    Attributes:
        first: ordinal of its first statement in the script, from 1.
        statements: one that forbids a transaction, or one or several that are in one.
        changes_rows: whether they may change or remove rows, columns or tables.
    """

    first: int
    statements: list[Statement]
    changes_rows: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether it is a statement that forbids a transaction."""
        return bool(self.statements[0]["outside_transaction"])

    def numbered(self) -> list[tuple[int, Statement]]:
        """(ordinal, statement) of each."""
        return list(enumerate(self.statements, self.first))


def parts_of(script: Script, direction: str) -> list[Part]:
    """The parts in their order.

    Args:
        script: apply or rollback script.
        direction: "apply" or "rollback".
    """
    numbered = list(enumerate(script["statements"], 1))
    if direction == "rollback":
        groups = [list(group) for _, group in groupby(numbered, _is_alone_at)]
    else:
        groups = [[one] for one in numbered]
    return [
        Part(
            group[0][0],
            [statement for _, statement in group],
            any(one["changes_rows"] and not one["outside_transaction"] for _, one in group),
        )
        for group in groups
    ]


def _is_alone_at(numbered: tuple[int, Statement]) -> int:
    """Its ordinal, where it is committed by itself; those between two of them have 0 in common."""
    ordinal, statement = numbered
    return ordinal if statement["outside_transaction"] else 0


def lines_of_changes(script: Script) -> list[int]:
    """Line of the first statement that may change rows, in each part of a rollback that has one."""
    return [
        next(one["line"] for one in part.statements if one["changes_rows"])
        for part in parts_of(script, "rollback")
        if part.changes_rows
    ]
