# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements of Alembic's are for its own table, whatever that is called.

They are left out of scripts: ``version_table`` has the runbook write that table, in a rollback too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pglast import ast, enums

from .statements import Books

__all__ = ["books_of_alembic"]

_COLUMN = "version_num"


def books_of_alembic(revisions: Collection[str]) -> Books:
    """Tells the statements that write one of these revisions into a column ``version_num``, and the DROP of its table.

    Returns:
        function statement -> name of the table, with its schema where that is written; None for other statements.
    """
    tables: set[str] = set()

    def table_of(node: ast.Node) -> str | None:
        if isinstance(node, ast.DropStmt) and node.removeType == enums.ObjectType.OBJECT_TABLE:
            name = ".".join(part.sval for part in node.objects[0])
            return name if len(node.objects) == 1 and name in tables else None
        if _revision_written(node) not in revisions:
            return None
        name = ".".join(filter(None, (node.relation.schemaname, node.relation.relname)))
        tables.add(name)
        return name

    return table_of


def _revision_written(node: ast.Node) -> str | None:
    """The text that an INSERT, UPDATE or DELETE has for the column, where it is about nothing else."""
    if isinstance(node, ast.InsertStmt):
        names = [column.name for column in node.cols or ()]
        rows: Any = getattr(node.selectStmt, "valuesLists", None) or ()
        return _text(rows[0][0]) if names == [_COLUMN] and len(rows) == 1 else None
    if isinstance(node, ast.UpdateStmt):
        names = [column.name for column in node.targetList]
        return _text(node.targetList[0].val) if names == [_COLUMN] else None
    if isinstance(node, ast.DeleteStmt) and isinstance(node.whereClause, ast.A_Expr):
        column = node.whereClause.lexpr
        is_ours = isinstance(column, ast.ColumnRef) and getattr(column.fields[-1], "sval", None) == _COLUMN
        return _text(node.whereClause.rexpr) if is_ours else None
    return None


def _text(node: Any) -> str | None:
    value = getattr(node, "val", None)
    return getattr(value, "sval", None)
