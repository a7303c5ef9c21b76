# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names as SQL writes them, and statements printed from the parser's tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pglast import ast
from pglast.keywords import COL_NAME_KEYWORDS, RESERVED_KEYWORDS, TYPE_FUNC_NAME_KEYWORDS
from pglast.stream import RawStream
from pglast.visitors import Visitor

__all__ = [
    "Name",
    "literal",
    "name_of",
    "names_in",
    "parts_of",
    "printed",
    "quoted",
    "role_of",
    "types_of",
    "unquoted",
]

#: The parts of a name, not quoted: (name,) or (schema, name).
Name = tuple[str, ...]

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_NOT_AS_NAMES = COL_NAME_KEYWORDS | RESERVED_KEYWORDS | TYPE_FUNC_NAME_KEYWORDS


def quoted(*parts: str) -> str:
    """A name as PostgreSQL's quote_ident() writes it, its parts joined by dots."""
    return ".".join(
        part if _PLAIN.fullmatch(part) and part not in _NOT_AS_NAMES else '"' + part.replace('"', '""') + '"'
        for part in parts
    )


def unquoted(name: str) -> str:
    """One part of a name without its quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def literal(text: str | None) -> str:
    """A constant, whatever standard_conforming_strings is."""
    if text is None:
        return "NULL"
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def name_of(relation: ast.RangeVar) -> Name:
    """The parts of a relation's name."""
    return (relation.schemaname, relation.relname) if relation.schemaname else (relation.relname,)


def parts_of(names: Iterable[Any]) -> Name:
    """The parts of a name that the parser has as a list."""
    return tuple(part.sval for part in names)


def printed(node: ast.Node) -> str:
    """SQL of a statement or a part of one."""
    return RawStream()(node)


def types_of(types: Sequence[ast.TypeName] | None) -> list[str]:
    """SQL of types; none stands for the missing operand of an operator."""
    return [printed(one) if one is not None else "NONE" for one in types or ()]


def role_of(name: str) -> ast.RoleSpec:
    """A role as the parser has it, of its name as PostgreSQL quotes it."""
    from pglast.enums import RoleSpecType

    return ast.RoleSpec(roletype=RoleSpecType.ROLESPEC_CSTRING, rolename=unquoted(name))


class _Names(Visitor):
    def __init__(self) -> None:
        self.found: list[Name] = []

    def visit_RangeVar(self, ancestors: Any, node: ast.RangeVar) -> None:
        self.found.append(name_of(node))

    def visit_FuncCall(self, ancestors: Any, node: ast.FuncCall) -> None:
        self.found.append(parts_of(node.funcname))

    def visit_TypeName(self, ancestors: Any, node: ast.TypeName) -> None:
        self.found.append(parts_of(node.names or ()))

    def visit_CreateTrigStmt(self, ancestors: Any, node: ast.CreateTrigStmt) -> None:
        self.found.append(parts_of(node.funcname))


def names_in(node: ast.Node) -> list[Name]:
    """Names of relations, functions and types in a statement."""
    visitor = _Names()
    visitor(node)
    return visitor.found
