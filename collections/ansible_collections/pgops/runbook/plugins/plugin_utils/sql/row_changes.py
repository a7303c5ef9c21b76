# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements may change what rollbacks have to keep: rows, columns, tables, their names and their keys.

Told from the statement alone, and so with care: what is not known to leave all of that alone may change it (a function
that a SELECT calls can do anything). The rehearsal sees what really is destroyed.
"""

from __future__ import annotations

from pglast import ast, enums

__all__ = ["may_change_rows"]

_HARMLESS = (
    ast.CheckPointStmt,
    ast.CommentStmt,
    ast.ConstraintsSetStmt,
    ast.CreateStatsStmt,
    ast.AlterStatsStmt,
    ast.IndexStmt,
    ast.LockStmt,
    ast.ReindexStmt,
    ast.VacuumStmt,
    ast.VariableSetStmt,
    ast.VariableShowStmt,
)
_OBJECTS = (enums.ObjectType.OBJECT_INDEX, enums.ObjectType.OBJECT_STATISTIC_EXT)
_CHANGES_OF_TABLES = (
    enums.AlterTableType.AT_ResetOptions,
    enums.AlterTableType.AT_ResetRelOptions,
    enums.AlterTableType.AT_SetOptions,
    enums.AlterTableType.AT_SetRelOptions,
    enums.AlterTableType.AT_SetStatistics,
    enums.AlterTableType.AT_ValidateConstraint,
)


def may_change_rows(statement: ast.Node) -> bool:
    """Whether a statement that may be in a transaction may change rows, columns, tables, their names or keys."""
    if isinstance(statement, _HARMLESS):
        return False
    if isinstance(statement, ast.SelectStmt):
        return not _is_constant(statement)
    if isinstance(statement, ast.DropStmt):
        return statement.removeType not in _OBJECTS or statement.behavior == enums.DropBehavior.DROP_CASCADE
    if isinstance(statement, ast.RenameStmt):
        return statement.renameType not in _OBJECTS
    if isinstance(statement, ast.AlterEnumStmt):
        return statement.oldVal is not None  # rows show another label
    if isinstance(statement, ast.AlterTableStmt):
        return statement.objtype != enums.ObjectType.OBJECT_INDEX and any(
            command.subtype not in _CHANGES_OF_TABLES for command in statement.cmds
        )
    return True


def _is_constant(statement: ast.SelectStmt) -> bool:
    """``SELECT 'words'``, by which a script says that there is nothing to do."""
    asked = {name for name in statement if getattr(statement, name)}
    return asked == {"targetList"} and all(isinstance(one.val, ast.A_Const) for one in statement.targetList)
