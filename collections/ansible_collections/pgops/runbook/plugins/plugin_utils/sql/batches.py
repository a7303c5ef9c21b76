# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A statement that changes many rows of one table, taken apart so that it can be carried out in batches.

What a batch is to change is said by a condition more, on the pages of the table (module_utils/execution/batches.py). So
the statement needs one table, and a WHERE of its own that no longer finds a row that it has changed: by that a run
which goes on where another one was killed knows what is left.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.parser import Token, scan

from ...module_utils.shapes import InBatches

__all__ = ["in_batches"]

_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_CHANGES = {"UpdateStmt": "UPDATE", "DeleteStmt": "DELETE"}


def in_batches(node: ast.Node, sql: str, rows: int) -> InBatches | None:
    """The parts of an UPDATE or DELETE that is to be carried out in batches.

    Args:
        node: the parsed statement.
        sql: its text, without comments around it.
        rows: how many rows a batch is to change.

    Returns:
        None for a statement of another kind, which is run as it is.

    Raises:
        ValueError: it cannot be, with the reason as a sentence without a full stop.
    """
    if not isinstance(node, (ast.UpdateStmt, ast.DeleteStmt)):
        return None
    command = _CHANGES[type(node).__name__]
    others = node.fromClause if isinstance(node, ast.UpdateStmt) else node.usingClause
    for part, words in (
        (node.withClause, "WITH"),
        (others, "FROM" if command == "UPDATE" else "USING"),
        (node.returningClause, "RETURNING"),
    ):
        if part:
            raise ValueError(
                f"a batch is told by the pages of one table, and this {command} has {words}; write what it looks up as"
                " a subquery"
            )
    if isinstance(node.whereClause, ast.CurrentOfExpr):
        raise ValueError("WHERE CURRENT OF means one row")
    if command == "UPDATE" and node.whereClause is None:
        raise ValueError(
            "this UPDATE has no WHERE, so that a run which goes on after a kill would change rows once more; say which"
            " rows are still to be changed, as in WHERE new_column IS NULL"
        )
    return _parts(node, sql, rows)


def _parts(node: Any, sql: str, rows: int) -> InBatches:
    tokens = [token for token in scan(sql) if token.name not in _COMMENTS]
    where = _at_the_top(tokens, "WHERE")
    before = sql if where is None else sql[: where.start]
    if isinstance(node, ast.UpdateStmt):
        begin, end = tokens[1].start, _found(_at_the_top(tokens, "SET")).start
    else:
        begin, end = tokens[2].start, len(before)
    return {
        "rows": rows,
        "table": [node.relation.schemaname, node.relation.relname],
        "only": not node.relation.inh,
        "target": sql[begin:end].strip(),
        "change": before.strip(),
        "condition": "true" if where is None else sql[where.start + len("WHERE") :].strip(),
    }


def _at_the_top(tokens: list[Token], name: str) -> Token | None:
    """The first token of that name in no brackets."""
    depth = 0
    for token in tokens:
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if depth == 0 and token.name == name:
            return token
    return None


def _found(token: Token | None) -> Token:
    if token is None:
        raise ValueError("it has no SET in its own text")
    return token
