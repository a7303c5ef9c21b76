# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statements PostgreSQL will not run inside a transaction block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pglast import ast, enums

__all__ = [
    "ADD_VALUE_USED_LATER",
    "boolean_option",
    "object_of",
    "outside_transaction_only",
    "unusable_enum_values",
]

ADD_VALUE_USED_LATER = "ALTER TYPE ADD VALUE with the new value used later in the script"

_REINDEX_WIDE = {
    enums.ReindexObjectType.REINDEX_OBJECT_SCHEMA: "REINDEX SCHEMA",
    enums.ReindexObjectType.REINDEX_OBJECT_DATABASE: "REINDEX DATABASE",
    enums.ReindexObjectType.REINDEX_OBJECT_SYSTEM: "REINDEX SYSTEM",
}
_ALWAYS = {
    ast.CreatedbStmt: "CREATE DATABASE",
    ast.DropdbStmt: "DROP DATABASE",
    ast.CreateTableSpaceStmt: "CREATE TABLESPACE",
    ast.DropTableSpaceStmt: "DROP TABLESPACE",
    ast.AlterSystemStmt: "ALTER SYSTEM",
    ast.DropSubscriptionStmt: "DROP SUBSCRIPTION",
}


def outside_transaction_only(statement: ast.Node) -> str | None:
    """Name the command when it cannot run in a transaction block, by the "Notes" of its manual page.

    `CLUSTER` of one table and `REINDEX` of one index are allowed unless the object is partitioned, which only
    the database knows: the rehearsal finds those.
    """
    for kind, name in _ALWAYS.items():
        if isinstance(statement, kind):
            return name
    if isinstance(statement, ast.IndexStmt) and statement.concurrent:
        return "CREATE INDEX CONCURRENTLY"
    if isinstance(statement, ast.DropStmt) and statement.concurrent:
        return "DROP INDEX CONCURRENTLY"
    if isinstance(statement, ast.ReindexStmt):
        if boolean_option(statement.params, "concurrently", default=False):
            return "REINDEX CONCURRENTLY"
        return _REINDEX_WIDE.get(statement.kind)
    if isinstance(statement, ast.VacuumStmt) and statement.is_vacuumcmd:
        return "VACUUM"
    if isinstance(statement, ast.ClusterStmt) and statement.relation is None:
        return "CLUSTER without a table"
    if isinstance(statement, ast.DiscardStmt) and statement.target == enums.DiscardMode.DISCARD_ALL:
        return "DISCARD ALL"
    if isinstance(statement, ast.AlterTableStmt) and any(
        isinstance(command.def_, ast.PartitionCmd) and command.def_.concurrent for command in statement.cmds
    ):
        return "DETACH PARTITION CONCURRENTLY"
    if isinstance(statement, ast.AlterDatabaseStmt) and any(
        option.defname == "tablespace" for option in statement.options or ()
    ):
        return "ALTER DATABASE SET TABLESPACE"
    return _subscription(statement)


def object_of(statement: ast.Node) -> dict[str, Any] | None:
    """What a statement that cannot be in a transaction is about, for asking the catalog whether it took effect.

    Returns:
        dict with names as [schema or None, name]: index; type and label; table and partition. None for a
        command that can simply be run again, and for an index that PostgreSQL is left to name.
    """
    if isinstance(statement, ast.IndexStmt) and statement.idxname:
        return {"index": [statement.relation.schemaname, statement.idxname]}
    if isinstance(statement, ast.DropStmt):
        return {"index": _qualified(statement.objects[0])}
    if isinstance(statement, ast.AlterEnumStmt):
        return {"type": _qualified(statement.typeName), "label": statement.newVal}
    if isinstance(statement, ast.AlterTableStmt):
        partition = statement.cmds[0].def_.name
        return {
            "table": [statement.relation.schemaname, statement.relation.relname],
            "partition": [partition.schemaname, partition.relname],
        }
    return None


def _qualified(parts: Sequence[ast.String]) -> list[str | None]:
    names = [part.sval for part in parts]
    return [names[-2] if len(names) > 1 else None, names[-1]]


def _subscription(statement: ast.Node) -> str | None:
    if isinstance(statement, ast.CreateSubscriptionStmt):
        connect = boolean_option(statement.options, "connect", default=True)
        if boolean_option(statement.options, "create_slot", default=connect):
            return "CREATE SUBSCRIPTION that creates its replication slot"
    if isinstance(statement, ast.AlterSubscriptionStmt):
        if statement.kind == enums.AlterSubscriptionType.ALTER_SUBSCRIPTION_REFRESH:
            return "ALTER SUBSCRIPTION REFRESH PUBLICATION"
        publication_kinds = (
            enums.AlterSubscriptionType.ALTER_SUBSCRIPTION_SET_PUBLICATION,
            enums.AlterSubscriptionType.ALTER_SUBSCRIPTION_ADD_PUBLICATION,
            enums.AlterSubscriptionType.ALTER_SUBSCRIPTION_DROP_PUBLICATION,
        )
        if statement.kind in publication_kinds and boolean_option(statement.options, "refresh", default=True):
            return "ALTER SUBSCRIPTION that refreshes its publications"
    return None


def unusable_enum_values(statements: Sequence[ast.Node]) -> Iterator[int]:
    """Positions of `ALTER TYPE ... ADD VALUE` whose label a later statement of the script uses.

    A value added to an existing enum cannot be used before its transaction has committed (manual, ALTER TYPE,
    Notes). The label is looked for as a string constant, also inside the quoted text of a DO block or
    function.
    """
    created: set[str] = set()
    for position, statement in enumerate(statements):
        if isinstance(statement, ast.CreateEnumStmt):
            created.add(statement.typeName[-1].sval)
        if not isinstance(statement, ast.AlterEnumStmt) or statement.oldVal is not None:
            continue
        if statement.typeName[-1].sval in created:
            continue  # a type of this very transaction cannot be seen half-made by others
        label = statement.newVal
        quoted = "'" + label.replace("'", "''") + "'"
        later = (text for other in statements[position + 1 :] for text in _constants(other(skip_none=True)))
        if any(text == label or quoted in text for text in later):
            yield position


def _constants(tree: object) -> Iterator[str]:
    """String constants, and quoted bodies that may hold some; not the names of objects."""
    if isinstance(tree, dict):
        constant = tree["val"] if tree.get("@") == "A_Const" and not tree.get("isnull") else None
        if constant and constant["@"] == "String":
            yield constant["sval"]
        elif tree.get("@") == "String" and "'" in tree["sval"]:
            yield tree["sval"]
        else:
            for value in tree.values():
                yield from _constants(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from _constants(value)


def boolean_option(options: Iterable[ast.DefElem] | None, name: str, *, default: bool) -> bool:
    """A boolean option as PostgreSQL's defGetBoolean() reads it: a bare name is true."""
    value = default
    for option in options or ():
        if option.defname == name:
            argument = option.arg
            if isinstance(argument, ast.Integer):
                value = argument.ival != 0
            else:
                word = getattr(argument, "sval", getattr(argument, "boolval", True))
                value = str(word).lower() in ("true", "on")
    return value
