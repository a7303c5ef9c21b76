# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements of a script hold: those after a savepoint that it has gone back to do not."""

from __future__ import annotations

from collections.abc import Iterable

from pglast import ast

__all__ = ["those_that_hold"]


def those_that_hold(script: Iterable[ast.RawStmt]) -> list[ast.RawStmt]:
    """The statements of a script without those that ROLLBACK TO SAVEPOINT has undone."""
    holding: list[ast.RawStmt] = []
    # Name, and how many statements held when it was set; a name may be set again, and then hides the earlier one.
    savepoints: list[tuple[str, int]] = []
    for raw in script:
        name = raw.stmt.savepoint_name if isinstance(raw.stmt, ast.TransactionStmt) else None
        places = [place for place, (known, _) in enumerate(savepoints) if known == name]
        if name is None:
            holding.append(raw)
        elif raw.stmt.kind.name == "TRANS_STMT_SAVEPOINT":
            savepoints.append((name, len(holding)))
        elif places and raw.stmt.kind.name == "TRANS_STMT_ROLLBACK_TO":
            del holding[savepoints[places[-1]][1] :]
            del savepoints[places[-1] + 1 :]
        elif places:
            del savepoints[places[-1] :]
    return holding
