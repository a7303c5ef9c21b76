# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is no longer asked, or asked under another name, after DROP, RENAME and SET SCHEMA."""

from __future__ import annotations

from pglast import ast, enums

from .catalog_conditions import Checks, attribute, forget, regclass
from .names import name_of, parts_of, quoted

__all__ = ["drop", "rename", "set_schema"]

_Object = enums.ObjectType
_GONE = (
    _Object.OBJECT_TABLE,
    _Object.OBJECT_VIEW,
    _Object.OBJECT_MATVIEW,
    _Object.OBJECT_INDEX,
    _Object.OBJECT_SEQUENCE,
)


def drop(checks: Checks, node: ast.DropStmt) -> None:
    for item in node.objects:
        names = (
            parts_of(item)
            if isinstance(item, tuple) and all(isinstance(one, ast.String) for one in item)
            else None
        )
        if isinstance(item, ast.ObjectWithArgs):
            forget(checks, parts_of(item.objname), "routine")
        elif isinstance(item, ast.TypeName):
            forget(checks, parts_of(item.names), "type")
        elif names is not None:
            forget(checks, names)
            if node.removeType == _Object.OBJECT_INDEX:
                for key in [key for key in checks if key[0] == "index of" and (*key[1:-2], key[-1]) == names]:
                    del checks[key]
            if node.removeType in _GONE:
                checks["gone", *names] = (f"{quoted(*names)} dropped", f"{regclass(names)} IS NULL")


def rename(checks: Checks, node: ast.RenameStmt) -> None:
    if node.relation is None:
        return
    name = name_of(node.relation)
    if node.renameType == _Object.OBJECT_COLUMN:
        forget(checks, (*name, node.subname))
        checks["column", *name, node.newname] = attribute(name, node.newname, "renamed", "attnum > 0")
    elif node.renameType in _GONE:
        forget(checks, name)
        to = (*name[:-1], node.newname)
        checks.pop(("gone", *to), None)
        checks["relation", *to] = (f"{quoted(*to)}, renamed", f"{regclass(to)} IS NOT NULL")
    else:
        forget(checks, (*name, node.subname or ""))


def set_schema(checks: Checks, node: ast.AlterObjectSchemaStmt) -> None:
    if node.relation is not None:
        name = name_of(node.relation)
        forget(checks, name)
        to = (node.newschema, name[-1])
        checks["relation", *to] = (f"{quoted(*to)}, moved", f"{regclass(to)} IS NOT NULL")
