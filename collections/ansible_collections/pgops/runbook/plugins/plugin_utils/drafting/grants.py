# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""GRANT and REVOKE taken back: each role has again what the database says that it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pglast import ast, enums

from .names import Name, name_of, parts_of, quoted, types_of
from .undo import CannotInvert, Scene, Undo

__all__ = ["granted", "take_back_grant"]

_Object = enums.ObjectType
_Role = enums.RoleSpecType

#: Kind of object -> word of GRANT, word of pg_get_object_address.
_KINDS = {
    _Object.OBJECT_TABLE: ("TABLE", "relation"),
    _Object.OBJECT_SEQUENCE: ("SEQUENCE", "relation"),
    _Object.OBJECT_SCHEMA: ("SCHEMA", "schema"),
    _Object.OBJECT_FUNCTION: ("FUNCTION", "function"),
    _Object.OBJECT_PROCEDURE: ("PROCEDURE", "procedure"),
    _Object.OBJECT_ROUTINE: ("ROUTINE", "routine"),
    _Object.OBJECT_TYPE: ("TYPE", "type"),
    _Object.OBJECT_DOMAIN: ("DOMAIN", "type"),
    _Object.OBJECT_LANGUAGE: ("LANGUAGE", "language"),
    _Object.OBJECT_FDW: ("FOREIGN DATA WRAPPER", "foreign-data wrapper"),
    _Object.OBJECT_FOREIGN_SERVER: ("FOREIGN SERVER", "server"),
    _Object.OBJECT_LARGEOBJECT: ("LARGE OBJECT", "large object"),
}


def granted(right: Sequence[Any], where: str, columns: str = "") -> str:
    """The statement that grants a right as it was.

    Args:
        right: role as PostgreSQL quotes it or None for PUBLIC, right, whether it may be granted on.
        where: the object with its kind, as "TABLE orders".
        columns: names of columns, quoted.
    """
    role, word, option = right
    of = f"{word} ({columns})" if columns else word
    return f"GRANT {of} ON {where} TO {role or 'PUBLIC'}{' WITH GRANT OPTION' if option else ''};"


def take_back_grant(scene: Scene, node: ast.GrantStmt) -> list[Undo]:
    """What gives the roles again what they had on each of the objects.

    Raises:
        Unanswered, CannotInvert: an object is not there, or of a kind that is not known.
    """
    if node.targtype != enums.GrantTargetType.ACL_TARGET_OBJECT or node.objtype not in _KINDS:
        raise CannotInvert("It is about all objects of a kind: write what each role had before.")
    word, kind = _KINDS[node.objtype]
    undos = []
    for item in node.objects:
        name, args = _named(item)
        if kind == "relation" and (scene.is_temporary(name) or scene.is_born(kind, name)):
            continue
        if (
            (kind, *name) in scene.born
            or scene.is_born(kind, name)
            or (kind in ("function", "procedure", "routine") and scene.is_routine_born(name))
        ):
            continue
        facts = scene.find(kind, name, args)
        if facts is None:
            raise CannotInvert(f"The database has no {word.lower()} {quoted(*name)}.")
        where = f"{word} {quoted(*name) if kind != 'large object' else name[0]}{_signature(item)}"
        of = scene.key("relation", name) if kind == "relation" else None
        undos.append(Undo(_again(node, facts, where), about=of))
    return undos


def _named(item: Any) -> tuple[Name, list[str]]:
    if isinstance(item, ast.RangeVar):
        return name_of(item), []
    if isinstance(item, ast.ObjectWithArgs):
        return parts_of(item.objname), types_of(item.objargs)
    if isinstance(item, ast.String):
        return (item.sval,), []
    if isinstance(item, ast.TypeName):
        return parts_of(item.names), []
    if isinstance(item, tuple):
        return parts_of(item), []
    return (str(getattr(item, "ival", getattr(item, "fval", ""))),), []


def _signature(item: Any) -> str:
    if isinstance(item, ast.ObjectWithArgs) and not item.args_unspecified:
        return f"({', '.join(types_of(item.objargs))})"
    return ""


def _again(node: ast.GrantStmt, facts: Mapping[str, Any], where: str) -> list[str]:
    statements = []
    for grantee in node.grantees:
        public = grantee.roletype == _Role.ROLESPEC_PUBLIC
        if not public and grantee.roletype != _Role.ROLESPEC_CSTRING:
            raise CannotInvert("It names a role by CURRENT_USER or the like: name the role itself.")
        role = None if public else quoted(grantee.rolename)
        statements += _of_role(node, facts, where, role)
    return statements


def _of_role(node: ast.GrantStmt, facts: Mapping[str, Any], where: str, role: str | None) -> list[str]:
    had = [right for right in facts["privileges"] if right[0] == role]
    of_columns = {
        column["name"]: [right for right in column["privileges"] if right[0] == role]
        for column in facts.get("columns", {}).values()
    }
    statements = []
    for wanted in node.privileges or [None]:
        word = wanted.priv_name.upper() if wanted is not None and wanted.priv_name else "ALL"
        names = [quoted(column.sval) for column in (wanted.cols or ())] if wanted is not None else []
        listed = f"{word} ({', '.join(names)})" if names else word
        statements.append(f"REVOKE {listed} ON {where} FROM {role or 'PUBLIC'};")
        if not names:
            statements += [granted(right, where) for right in had if word in ("ALL", right[1])]
        # A right on the whole table that goes takes those on its columns with it.
        statements += [
            granted(right, where, column)
            for column, rights in of_columns.items()
            for right in rights
            if word in ("ALL", right[1]) and (not names or column in names)
        ]
    return statements
