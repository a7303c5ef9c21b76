# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Subcommands of ALTER TABLE about a constraint, taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pglast import ast, enums
from pglast.visitors import Visitor

from .again import made_again
from .altering import Altered
from .names import literal, quoted, unquoted
from .undo import CannotInvert, Scene, Undo, part

__all__ = ["HANDLERS", "INDEXED", "SUFFIX", "chosen_name"]

_At = enums.AlterTableType
_Type = enums.ConstrType
_Handler = Callable[[Altered, ast.AlterTableCmd], "Undo | None"]

SUFFIX = {
    _Type.CONSTR_PRIMARY: "pkey",
    _Type.CONSTR_UNIQUE: "key",
    _Type.CONSTR_EXCLUSION: "excl",
    _Type.CONSTR_FOREIGN: "fkey",
    _Type.CONSTR_CHECK: "check",
    _Type.CONSTR_NOTNULL: "not_null",
}
INDEXED = (_Type.CONSTR_PRIMARY, _Type.CONSTR_UNIQUE, _Type.CONSTR_EXCLUSION)
LONGEST_NAME = 63


def _add(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    constraint = command.def_
    if constraint.indexname:
        return _of_index(altered, constraint)
    if altered.goes_along(command) and not constraint.conname:
        return None
    name = constraint.conname or _name(altered, constraint)
    altered.scene.make(altered.scene.key("constraint", altered.name, name))
    if constraint.contype in INDEXED:
        altered.scene.make(altered.scene.key("relation", (*altered.name[:-1], name)))
    if altered.goes_along(command):
        return None
    actions = [f"DROP CONSTRAINT {quoted(name)}"]
    if constraint.contype == _Type.CONSTR_PRIMARY and not altered.born:
        actions += _nullable_again(altered, [key.sval for key in constraint.keys or ()])
    undo = altered.undo(*actions)
    undo.about = altered.scene.key("constraint", altered.name, name)
    return undo


def _of_index(altered: Altered, constraint: ast.Constraint) -> Undo:
    """
    Raises:
        CannotInvert: the index was there before the script.
    """
    scene = altered.scene
    index = scene.key("relation", (*altered.name[:-1], constraint.indexname))
    primary = constraint.contype == _Type.CONSTR_PRIMARY
    if index not in scene.born or (primary and index not in scene.indexed):
        raise CannotInvert(
            "USING INDEX makes the index the constraint's own, which goes with it: write how the index comes back."
        )
    for undo in scene.undos:
        if undo.about == index:
            undo.statements = []
    nullable = _nullable_again(altered, scene.indexed[index]) if primary and not altered.born else []
    return altered.undo(f"DROP CONSTRAINT {quoted(constraint.conname or constraint.indexname)}", *nullable)


def _nullable_again(altered: Altered, columns: Iterable[str]) -> list[str]:
    """A primary key makes its columns NOT NULL, which they stay without it."""
    return [
        f"ALTER COLUMN {quoted(name)} DROP NOT NULL"
        for name in columns
        if not altered.has_made(name) and not altered.column(name)["not_null"]
    ]


def _name(altered: Altered, constraint: ast.Constraint) -> str:
    taken = set() if altered.born else {unquoted(name) for name in altered.facts["constraints"]}
    columns = [key.sval for key in (constraint.keys or constraint.fk_attrs or ())]
    if constraint.contype == _Type.CONSTR_PRIMARY:
        columns = []
    if constraint.contype == _Type.CONSTR_CHECK:
        columns = _columns_in(constraint.raw_expr)
        columns = columns if len(columns) == 1 else []
    if constraint.contype == _Type.CONSTR_EXCLUSION or constraint.contype not in SUFFIX:
        raise CannotInvert(
            "The constraint has no name, so that it is not known what it will be called. Name it."
        )
    return chosen_name(altered.scene, altered.name, columns, SUFFIX[constraint.contype], taken)


class _Columns(Visitor):
    def __init__(self) -> None:
        self.names: list[str] = []

    def visit_ColumnRef(self, ancestors: Any, node: ast.ColumnRef) -> None:
        self.names.append(getattr(node.fields[-1], "sval", ""))


def _columns_in(expression: ast.Node) -> list[str]:
    visitor = _Columns()
    visitor(expression)
    return list(dict.fromkeys(visitor.names))


def chosen_name(
    scene: Scene, table: tuple[str, ...], columns: list[str], suffix: str, taken: set[str]
) -> str:
    """The name that PostgreSQL chooses (src/backend/commands/indexcmds.c, ChooseRelationName).

    Args:
        taken: names that the table's own constraints have.

    Raises:
        Unanswered: the database has yet to say which names are taken.
        CannotInvert: it would have to be cut.
    """
    for number in range(20):
        name = "_".join([table[-1], *columns, f"{suffix}{number or ''}"])
        if len(name.encode()) > LONGEST_NAME:
            break
        whole = (*table[:-1], name)
        made = (
            scene.key("relation", whole) in scene.born or scene.key("constraint", table, name) in scene.born
        )
        free = name not in taken or scene.key("constraint", table, name) in scene.gone
        there = scene.key("relation", whole) not in scene.gone and scene.find("relation", whole) is not None
        if free and not made and not there:
            return name
    raise CannotInvert("It has no name, and PostgreSQL will choose one that is not known here. Name it.")


def _made_here(altered: Altered, name: str) -> bool:
    return altered.scene.is_born("constraint", altered.name, name)


def _drop(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    scene, name = altered.scene, command.name
    if scene.erase(scene.key("constraint", altered.name, name)):
        return None
    if command.missing_ok and part(altered.facts, "constraints", name) is None:
        return None
    before = altered.constraint(name)
    if before["inherited"]:
        raise CannotInvert(f"Constraint {quoted(name)} comes from a parent table.")
    if before["disabled"]:
        raise CannotInvert(
            f"The triggers of constraint {quoted(name)} are disabled, which no definition says."
        )
    facts = scene.live.ask(
        "table constraint",
        [*scene.name_in_database("relation", altered.name), unquoted(before["name"])],
        dump=True,
        cascade=command.behavior == enums.DropBehavior.DROP_CASCADE,
        **({"path": scene.path} if scene.path is not None else {}),
    )
    scene.gone |= {
        scene.key("constraint", altered.name, unquoted(before["name"])),
        scene.key("relation", (*altered.name[:-1], unquoted(before["name"]))),
    }
    undo = Undo(about=altered.key)
    made_again(scene, facts or {"made": {"statements": [], "columns": []}}, undo)
    if not undo.statements:
        undo.statements = _added(altered, before)
    return undo


def _added(altered: Altered, before: Mapping[str, Any]) -> list[str]:
    """Statements that add a constraint as it was."""
    name, where = before["name"], quoted(*altered.name)
    found = [f"{altered.head} ADD CONSTRAINT {name} {before['definition']};"]
    if before["comment"] is not None:
        found.append(f"COMMENT ON CONSTRAINT {name} ON {where} IS {literal(before['comment'])};")
    return found


def _validate(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    if _made_here(altered, command.name):
        return None
    before = altered.constraint(command.name)
    if before["validated"]:
        return None
    return _again(altered, before)


def _again(altered: Altered, before: Mapping[str, Any]) -> Undo:
    undo = altered.undo(f"DROP CONSTRAINT {before['name']}")
    undo.statements += _added(altered, before)
    return undo


def _alter(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    name = command.def_.conname
    if _made_here(altered, name):
        return None
    before = altered.constraint(name)
    if (
        not command.def_.alterDeferrability
        or command.def_.alterEnforceability
        or command.def_.alterInheritability
    ):
        return _again(altered, before)
    when = "DEFERRED" if before["deferred"] else "IMMEDIATE"
    deferrable = f"DEFERRABLE INITIALLY {when}" if before["deferrable"] else "NOT DEFERRABLE"
    return altered.undo(f"ALTER CONSTRAINT {before['name']} {deferrable}")


HANDLERS: Mapping[Any, _Handler] = {
    _At.AT_AddConstraint: _add,
    _At.AT_DropConstraint: _drop,
    _At.AT_ValidateConstraint: _validate,
    _At.AT_AlterConstraint: _alter,
}
