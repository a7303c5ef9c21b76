# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which kind, names and arguments the database finds an object, of how the parser has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pglast import ast, enums

from .names import Name, name_of, parts_of, quoted, types_of, unquoted
from .undo import CannotInvert, Scene

__all__ = ["ON_TABLES", "address_of", "born_key", "is_born"]

_Object = enums.ObjectType
_RELATIONS = (
    _Object.OBJECT_TABLE,
    _Object.OBJECT_VIEW,
    _Object.OBJECT_MATVIEW,
    _Object.OBJECT_INDEX,
    _Object.OBJECT_SEQUENCE,
    _Object.OBJECT_FOREIGN_TABLE,
)
ON_TABLES = {_Object.OBJECT_TRIGGER: "trigger", _Object.OBJECT_RULE: "rule", _Object.OBJECT_POLICY: "policy"}
#: The parser's word -> that of pg_get_object_address.
_KINDS = {
    _Object.OBJECT_AGGREGATE: "aggregate",
    _Object.OBJECT_FUNCTION: "function",
    _Object.OBJECT_PROCEDURE: "procedure",
    _Object.OBJECT_ROUTINE: "routine",
    _Object.OBJECT_CAST: "cast",
    _Object.OBJECT_COLLATION: "collation",
    _Object.OBJECT_CONVERSION: "conversion",
    _Object.OBJECT_DOMAIN: "type",
    _Object.OBJECT_TYPE: "type",
    _Object.OBJECT_EVENT_TRIGGER: "event trigger",
    _Object.OBJECT_EXTENSION: "extension",
    _Object.OBJECT_FDW: "foreign-data wrapper",
    _Object.OBJECT_FOREIGN_SERVER: "server",
    _Object.OBJECT_LANGUAGE: "language",
    _Object.OBJECT_LARGEOBJECT: "large object",
    _Object.OBJECT_OPCLASS: "operator class",
    _Object.OBJECT_OPERATOR: "operator",
    _Object.OBJECT_OPFAMILY: "operator family",
    _Object.OBJECT_PUBLICATION: "publication",
    _Object.OBJECT_SCHEMA: "schema",
    _Object.OBJECT_STATISTIC_EXT: "statistics object",
    _Object.OBJECT_TSCONFIGURATION: "text search configuration",
    _Object.OBJECT_TSDICTIONARY: "text search dictionary",
    _Object.OBJECT_TSPARSER: "text search parser",
    _Object.OBJECT_TSTEMPLATE: "text search template",
    _Object.OBJECT_ACCESS_METHOD: "access method",
    _Object.OBJECT_TABCONSTRAINT: "table constraint",
    _Object.OBJECT_DOMCONSTRAINT: "domain constraint",
    _Object.OBJECT_COLUMN: "table column",
    **ON_TABLES,
}


def address_of(objtype: Any, item: Any) -> tuple[str, Name, list[str]]:
    """Kind, names and arguments by which the database finds an object, of how the parser has it.

    Raises:
        CannotInvert: of a kind that is not known here.
    """
    if objtype in _RELATIONS:
        return "relation", name_of(item) if isinstance(item, ast.RangeVar) else parts_of(item), []
    kind = _KINDS.get(objtype)
    if kind is None:
        raise CannotInvert("The runbook does not know how objects of this kind are made.")
    if isinstance(item, ast.ObjectWithArgs):
        if item.args_unspecified:
            return "routine of any arguments", parts_of(item.objname), []
        return kind, parts_of(item.objname), types_of(item.objargs)
    if isinstance(item, ast.TypeName):
        return kind, (quoted(*parts_of(item.names)),), []
    if isinstance(item, ast.String):
        return kind, (item.sval,), []
    if objtype == _Object.OBJECT_CAST:
        return kind, (types_of([item[0]])[0],), types_of([item[1]])
    if objtype in (_Object.OBJECT_OPCLASS, _Object.OBJECT_OPFAMILY):
        # The access method comes first, to the parser as to the database.
        return kind, parts_of(item), []
    if objtype == _Object.OBJECT_DOMCONSTRAINT:
        return kind, (quoted(*parts_of(item[0].names)),), [item[1].sval]
    if objtype == _Object.OBJECT_LARGEOBJECT:
        return kind, (str(getattr(item, "ival", getattr(item, "fval", ""))),), []
    return kind, parts_of(item), []


def born_key(scene: Scene, kind: str, name: Name, args: Sequence[str]) -> tuple[str, ...]:
    if kind in ("function", "procedure", "routine"):
        return scene.key("routine", name, ", ".join(args))
    if kind in ("trigger", "rule", "policy"):
        return scene.key(kind, name[:-1], name[-1])
    if kind == "type":
        return scene.key("type", tuple(unquoted(part) for part in _split(name[0])))
    if kind == "cast":
        return ("cast", *name, *args)
    if kind in ("operator class", "operator family"):
        return scene.key(kind, name[1:], name[0])
    if kind in (
        "extension",
        "schema",
        "server",
        "publication",
        "event trigger",
        "language",
        "access method",
        "foreign-data wrapper",
    ):
        return (kind, *name)
    return scene.key(kind, name, *args)


def is_born(scene: Scene, kind: str, name: Name, args: Sequence[str]) -> bool:
    if kind == "routine of any arguments":
        return scene.is_routine_born(name)
    if kind == "domain constraint":
        return born_key(scene, "type", name, ()) in scene.born
    return born_key(scene, kind, name, args) in scene.born


def _split(name: str) -> list[str]:
    """The parts of a quoted name."""
    return re.findall(r'"(?:[^"]|"")*"|[^."]+', name)
