# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements about rows: INSERT of constants with a key is taken back by DELETE, and hardly anything else is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pglast import ast, enums
from pglast.visitors import Visitor

from .names import Name, literal, name_of, printed, quoted, unquoted
from .pure_functions import PURE
from .undo import CannotInvert, Scene, Undo

__all__ = ["HANDLERS"]

_Handler = Callable[[Scene, Any], "list[Undo]"]

#: The application's record of what is applied, which the runbook keeps right by itself.
VERSIONS = "schema_migrations"


def _insert(scene: Scene, node: ast.InsertStmt) -> list[Undo]:
    table = name_of(node.relation)
    if scene.is_temporary(table) or scene.is_born("relation", table):
        _refuse_writing_queries(scene, node)
        return []
    if table[-1] == VERSIONS:
        return [Undo([f"DELETE FROM {quoted(*table)} WHERE version = {literal(scene.version)};"])]
    _refuse_writing_queries(scene, node)
    facts = scene.relation(table)
    columns = (
        [column.name for column in node.cols] if node.cols else [unquoted(name) for name in facts["columns"]]
    )
    rows = _constants(node)
    if (
        node.onConflictClause is not None
        and node.onConflictClause.action == enums.OnConflictAction.ONCONFLICT_UPDATE
    ):
        raise CannotInvert(
            "ON CONFLICT DO UPDATE changes rows that are there already: what they held is not known."
        )
    key = _key(facts, columns)
    if key is None:
        raise CannotInvert(
            f"The rows give no key of {quoted(*table)}, so that nothing tells them from others: write the DELETE."
        )
    if node.onConflictClause is not None:
        raise CannotInvert(
            "ON CONFLICT DO NOTHING leaves rows alone that are there already, and which those are is not"
            " known: write the"
            " DELETE for those that the migration brings."
        )
    places = [columns.index(name) for name in key]
    if not all(row[place] for row in rows for place in places):
        raise CannotInvert(
            "The key of a row is no constant: write the DELETE by what tells the rows from others."
        )
    if facts.get("triggers") or facts.get("rules"):
        raise CannotInvert(
            f"Triggers or rules of {quoted(*table)} may write elsewhere: write the DELETE, and what takes that back."
        )
    conditions = " OR ".join(
        "(" + " AND ".join(f"{quoted(key[n])} = {row[place]}" for n, place in enumerate(places)) + ")"
        for row in rows
    )
    return [
        Undo(
            [f"DELETE FROM {quoted(*table)} WHERE {conditions};"],
            about=scene.key("relation", table),
            destroys="PARTIAL",
        )
    ]


def _refuse_writing_queries(scene: Scene, node: Any) -> None:
    """
    Raises:
        CannotInvert: another statement in its WITH changes rows.
    """
    clause = getattr(node, "withClause", None)
    if clause is None:
        return
    calls = _Calls(scene)
    calls(clause)
    if calls.writes:
        raise CannotInvert("Its WITH changes rows too: write what takes that back.")


def _update(scene: Scene, node: ast.UpdateStmt) -> list[Undo]:
    """What it writes into columns that the script has added goes with them."""
    table = name_of(node.relation)
    added = scene.key("relation", table) not in scene.born and all(
        scene.is_born("column", table, target.name) or _is_itself(target) for target in node.targetList
    )
    if not added or scene.is_temporary(table):
        return _not_taken_back("UPDATE")(scene, node)
    _refuse_writing_queries(scene, node)
    calls = _Calls(scene)
    calls(node)
    unknown = sorted(calls.names - PURE)
    if unknown:
        raise CannotInvert(
            f"It calls {unknown[0]}(), and what that does is not known: write what takes it back."
        )
    facts = scene.relation(table)
    if _fires(scene, table, facts) or facts.get("rules"):
        raise CannotInvert(
            f"Triggers or rules of {quoted(*table)} may change other columns, or write elsewhere: write what takes that"
            " back, or nothing if they do not."
        )
    return []


def _is_itself(target: ast.ResTarget) -> bool:
    """Whether a column is given the value that it has."""
    fields = list(getattr(target.val, "fields", ()))
    return not target.indirection and len(fields) == 1 and getattr(fields[0], "sval", None) == target.name


def _fires(scene: Scene, table: Name, facts: Mapping[str, Any]) -> bool:
    """Whether a trigger of a table may be at work, as the script has left them (manual, "ALTER TABLE")."""
    at_work = ("A", "R") if scene.replica else ("A", "O")
    states = {
        scene.key("trigger", table, unquoted(one["name"])): one["enabled"]
        for one in (facts.get("triggers") or {}).values()
    }
    made = {key: "O" for key in scene.born if key == scene.key("trigger", table, key[-1])}
    own = {key: state for key, state in scene.triggers.items() if key in states or key in made}
    return any(state in at_work for state in {**states, **made, **own}.values())


def _constants(node: ast.InsertStmt) -> list[list[str]]:
    """The values of each row as SQL.

    Raises:
        CannotInvert: they are no constants.
    """
    query = node.selectStmt
    if query is None or not getattr(query, "valuesLists", None):
        raise CannotInvert("Which rows it inserts is known only when it runs: write the DELETE.")
    return [[printed(value) if _is_constant(value) else "" for value in row] for row in query.valuesLists]


def _is_constant(value: ast.Node) -> bool:
    if isinstance(value, ast.TypeCast):
        return _is_constant(value.arg)
    return isinstance(value, ast.A_Const) and not value.isnull


def _key(facts: Mapping[str, Any], columns: list[str]) -> list[str] | None:
    """Columns of a primary key, else of a unique constraint, that the rows give."""
    keys = [one for one in facts["constraints"].values() if one["type"] in ("p", "u") and one["validated"]]
    for constraint in sorted(keys, key=lambda one: (one["type"] != "p", one["name"])):
        names = [unquoted(name) for name in constraint["columns"]]
        nullable = any(not facts["columns"][quoted(name)]["not_null"] for name in names)
        if set(names) <= set(columns) and not nullable:
            return names
    return None


def _not_taken_back(what: str) -> _Handler:
    def handler(scene: Scene, node: Any) -> list[Undo]:
        relations = getattr(node, "relations", None) or [node.relation]
        names = [name_of(relation) for relation in relations]
        if all(scene.is_temporary(name) or scene.is_born("relation", name) for name in names):
            return []
        if what != "TRUNCATE" and names[0][-1] == VERSIONS:
            raise CannotInvert(
                f"It writes to {VERSIONS}, which the runbook keeps right itself: leave it out of the migration."
            )
        raise CannotInvert(
            f"{what} changes rows, and what they held is not known when this is taken back. Have the migration keep it,"
            " as in a column or a table beside, and write the statement that gives it back."
        )

    return handler


class _Calls(Visitor):
    """Functions that a query calls, and whether it writes; what is done to sequences of the script's own is none."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.names: set[str] = set()
        self.writes = False

    def visit_FuncCall(self, ancestors: Any, node: ast.FuncCall) -> None:
        name = node.funcname[-1].sval
        body = self.scene.functions.get(name) if node.funcname[0].sval == "pg_temp" else None
        if body and name not in self.names:
            within = _Calls(self.scene)
            for statement in body:
                within(statement)
            self.names |= within.names
            self.writes |= within.writes or not all(isinstance(one, ast.SelectStmt) for one in body)
        elif name not in ("setval", "nextval") or not self._is_born(node.args[0]):
            self.names.add(name)

    def _is_born(self, argument: Any) -> bool:
        while isinstance(argument, ast.TypeCast):
            argument = argument.arg
        if isinstance(argument, ast.FuncCall) and argument.funcname[-1].sval == "pg_get_serial_sequence":
            return self._is_of_a_column(
                *(getattr(getattr(one, "val", None), "sval", "") for one in argument.args)
            )
        text = getattr(getattr(argument, "val", None), "sval", "")
        return bool(text) and self.scene.is_born("relation", tuple(unquoted(one) for one in text.split(".")))

    def _is_of_a_column(self, table: str, column: str) -> bool:
        """Whether the sequence of a column is one that goes with what the script makes."""
        name = tuple(unquoted(one) for one in table.split("."))
        key = self.scene.key("column", name, column)
        return key in self.scene.identities or self.scene.is_born("column", name, column)

    def visit_InsertStmt(self, ancestors: Any, node: Any) -> None:
        self.writes = True

    visit_UpdateStmt = visit_DeleteStmt = visit_MergeStmt = visit_InsertStmt


def _select(scene: Scene, node: ast.SelectStmt) -> list[Undo]:
    calls = _Calls(scene)
    calls(node)
    unknown = sorted(calls.names - PURE)
    if calls.writes or unknown:
        what = f"calls {unknown[0]}()" if unknown else "writes"
        raise CannotInvert(f"The query {what}, and what that does is not known: write what takes it back.")
    _search_path_of(scene, node)
    return []


def _search_path_of(scene: Scene, node: ast.SelectStmt) -> None:
    """``SELECT set_config('search_path', ...)``, with which a dump begins."""
    for target in node.targetList or ():
        call = target.val
        if isinstance(call, ast.FuncCall) and call.funcname[-1].sval == "set_config":
            values = [getattr(getattr(arg, "val", None), "sval", None) for arg in call.args or ()]
            if values and values[0] == "search_path":
                if values[1] is None:
                    raise CannotInvert("Which search_path it sets is known only when it runs.")
                scene.path = [part.strip().strip('"') for part in values[1].split(",") if part.strip()]


def _unknown(what: str) -> _Handler:
    def handler(scene: Scene, node: Any) -> list[Undo]:
        raise CannotInvert(what)

    return handler


HANDLERS: Mapping[type, _Handler] = {
    ast.InsertStmt: _insert,
    ast.UpdateStmt: _update,
    ast.DeleteStmt: _not_taken_back("DELETE"),
    ast.MergeStmt: _not_taken_back("MERGE"),
    ast.TruncateStmt: _not_taken_back("TRUNCATE"),
    ast.CopyStmt: _unknown("COPY brings or takes rows that are not in the script: write what takes it back."),
    ast.SelectStmt: _select,
    ast.CallStmt: _unknown("What a procedure does is not known: write what takes it back."),
}
