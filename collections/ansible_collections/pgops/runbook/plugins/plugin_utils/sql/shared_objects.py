# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements change what all databases of a server share: roles, tablespaces, databases by their names.

The copy lies on production's own server as a rule. There the rehearsal of such a statement is the change itself. So it
is with a subscription that is started: the copy's reads from the publisher what production's would have read.
Statements that are refused for more than that (CREATE DATABASE ...) are in transaction_limits.
"""

from __future__ import annotations

from pglast import ast, enums

from .transaction_limits import boolean_option

__all__ = ["changes_shared_objects"]

_Object = enums.ObjectType
_COMMANDS = {
    ast.AlterRoleStmt: "ALTER ROLE",
    ast.AlterRoleSetStmt: "ALTER ROLE",
    ast.DropRoleStmt: "DROP ROLE",
    ast.AlterDatabaseSetStmt: "ALTER DATABASE",
    ast.AlterDatabaseRefreshCollStmt: "ALTER DATABASE",
    ast.AlterTableSpaceOptionsStmt: "ALTER TABLESPACE",
}
_SHARED = {
    _Object.OBJECT_ROLE: "ROLE",
    _Object.OBJECT_DATABASE: "DATABASE",
    _Object.OBJECT_TABLESPACE: "TABLESPACE",
    _Object.OBJECT_PARAMETER_ACL: "PARAMETER",
}


def changes_shared_objects(statement: ast.Node) -> str | None:
    """The command with the name of the database or role, where there is one; None for a statement of this database."""
    if isinstance(statement, ast.CreateRoleStmt):
        return f"CREATE ROLE {statement.role}"
    if isinstance(statement, ast.GrantRoleStmt):
        roles = ", ".join(one.priv_name for one in statement.granted_roles)
        return f"{'GRANT' if statement.is_grant else 'REVOKE'} {roles}"
    if isinstance(statement, ast.AlterDatabaseStmt):
        # Another tablespace is refused for more than this.
        moves = any(option.defname == "tablespace" for option in statement.options or ())
        return None if moves else f"ALTER DATABASE {statement.dbname}"
    if isinstance(statement, (ast.CreateSubscriptionStmt, ast.AlterSubscriptionStmt)):
        return _started(statement)
    if type(statement) in _COMMANDS:
        return " ".join(filter(None, (_COMMANDS[type(statement)], getattr(statement, "dbname", None))))
    return _on_shared_object(statement)


def _started(statement: ast.CreateSubscriptionStmt | ast.AlterSubscriptionStmt) -> str | None:
    if isinstance(statement, ast.AlterSubscriptionStmt):
        enables = statement.kind == enums.AlterSubscriptionType.ALTER_SUBSCRIPTION_ENABLED
        starts = enables and boolean_option(statement.options, "enabled", default=True)
        return f"ALTER SUBSCRIPTION {statement.subname} ENABLE" if starts else None
    connects = boolean_option(statement.options, "connect", default=True)
    starts = boolean_option(statement.options, "enabled", default=connects)
    return f"CREATE SUBSCRIPTION {statement.subname}" if starts else None


def _on_shared_object(statement: ast.Node) -> str | None:
    for kind, attribute, command in (
        (ast.RenameStmt, "renameType", "ALTER {} ... RENAME"),
        (ast.AlterOwnerStmt, "objectType", "ALTER {} ... OWNER"),
        (ast.CommentStmt, "objtype", "COMMENT ON {}"),
        (ast.SecLabelStmt, "objtype", "SECURITY LABEL ON {}"),
        (ast.GrantStmt, "objtype", "GRANT or REVOKE ON {}"),
    ):
        if isinstance(statement, kind) and getattr(statement, attribute) in _SHARED:
            return command.format(_SHARED[getattr(statement, attribute)])
    return None
