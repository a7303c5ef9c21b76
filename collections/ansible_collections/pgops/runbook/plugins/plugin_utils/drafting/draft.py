# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rollback of a migration, drafted: what takes back each of its statements, the last one first.

Pure: a script and answers in, a draft out. Nothing is guessed: a statement that is not known to be taken back is said,
and a draft with one in it is unfinished.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pglast import ast, parse_sql

from ..sql.source import SqlText
from . import blocks, changing, creating, rows
from .grants import take_back_grant
from .live import Live, Unanswered
from .names import name_of, quoted, unquoted
from .savepoints import those_that_hold
from .tables import alter_table
from .undo import CannotInvert, Scene, Undo

__all__ = ["Draft", "Step", "draft_rollback"]

_Handler = Callable[[Scene, Any], "list[Undo]"]


@dataclass(frozen=True)
class Step:
    """One statement of the migration, and what takes it back.

    Attributes:
        line: of the migration, 1-based.
        sql: the statement.
        path: the search_path that the script had set for it, or None.
        role: the role that it had set, or None.
    """

    line: int
    sql: str
    undos: tuple[Undo, ...]
    path: tuple[str, ...] | None = None
    role: str | None = None


@dataclass(frozen=True)
class Draft:
    """A rollback, as far as it is known.

    Attributes:
        steps: in the order of the migration.
        pending: earlier migrations that the database did not have yet when it was asked.
        asked: something of the draft comes from the database.
    """

    steps: tuple[Step, ...]
    pending: tuple[str, ...] = ()
    asked: bool = False

    @property
    def undos(self) -> tuple[Undo, ...]:
        return tuple(undo for step in self.steps for undo in step.undos)

    def open_points(self) -> list[tuple[int, str]]:
        """What a person has to see to, with the line of the migration (0: none in particular)."""
        points = [
            (step.line, sentence)
            for step in self.steps
            for undo in step.undos
            for sentence in (*undo.cannot, *undo.loses)
        ]
        if self.pending and self.asked:
            points.append(
                (
                    0,
                    f"The database has yet to get {', '.join(self.pending)}: what this takes from it is how"
                    " it was before"
                    " these.",
                )
            )
        return points

    @property
    def unfinished(self) -> bool:
        return bool(self.open_points())

    @property
    def data_loss(self) -> str:
        """What the rollback destroys of what users wrote, as a header says it."""
        destroyed = {undo.destroys for undo in self.undos}
        return "COMPLETE" if "COMPLETE" in destroyed else "PARTIAL" if "PARTIAL" in destroyed else "NONE"

    def leaves(self) -> list[str]:
        return list(dict.fromkeys(line for undo in self.undos for line in undo.leaves))


def draft_rollback(text: str, live: Live, version: str) -> Draft | None:
    """Draft the rollback of a script that parses.

    Args:
        version: of the migration, which its script may record itself.

    Returns:
        None where ``live`` has questions left: answer them, and call again.
    """
    try:
        scene = Scene(live, version)
    except Unanswered:
        return None
    steps = []
    source = SqlText(text, "")
    for raw in those_that_hold(parse_sql(text)):
        start = raw.stmt_location
        end = start + raw.stmt_len if raw.stmt_len else len(text)
        sql = text[start:end].strip()
        line, _column = source.place(start + (len(text[start:end]) - len(text[start:end].lstrip())))
        path, role = tuple(scene.path) if scene.path is not None else None, scene.role
        undos = _read(scene, raw.stmt)
        steps.append(Step(line, sql, tuple(_under(role, undos)), path, role))
    return None if live.questions else Draft(tuple(steps), asked=live.has_told_of_objects())


def _under(role: str | None, undos: list[Undo]) -> list[Undo]:
    """Under a role that the script has set only what goes is taken back; what is made would belong to it."""
    for undo in undos if role is not None else []:
        if not all(_TAKES_AWAY.match(statement) for statement in undo.statements):
            undo.cannot.append(
                "It was done as another role: see whose what is made here will be, and who may make it."
            )
    return undos


def _read(scene: Scene, node: Any) -> list[Undo]:
    """What takes a statement back; also noted in the scene."""
    try:
        undos = _HANDLERS.get(type(node), _unknown)(scene, node)
    except Unanswered:
        return []
    except CannotInvert as reason:
        undos = [Undo(cannot=[str(reason)])]
    _note(scene, undos)
    return undos


def _note(scene: Scene, undos: list[Undo]) -> None:
    scene.undos += [undo for undo in undos if not any(undo is known for known in scene.undos)]


def _unknown(scene: Scene, node: Any) -> list[Undo]:
    raise CannotInvert("The runbook does not know how to take such a statement back.")


def _nothing(scene: Scene, node: Any) -> list[Undo]:
    return []


def _explained(scene: Scene, node: ast.ExplainStmt) -> list[Undo]:
    """What is only planned changes nothing; with ANALYZE it is done."""
    if any(option.defname == "analyze" for option in node.options or ()):
        return _HANDLERS.get(type(node.query), _unknown)(scene, node.query)
    return []


def _schema(scene: Scene, node: ast.CreateSchemaStmt) -> list[Undo]:
    name = node.schemaname or (node.authrole.rolename if node.authrole else "")
    if node.if_not_exists and scene.live.ask("schema", (name,)) is not None:
        return []
    key = ("schema", name)
    scene.make(key)
    undos = [Undo([f"DROP SCHEMA {quoted(name)};"], about=key)]
    scene.undos += undos
    outer, scene.path = scene.path, [name]
    for element in node.schemaElts or ():
        made = _HANDLERS.get(type(element), _unknown)(scene, element)
        for undo in made:
            undo.statements = [f"SET LOCAL search_path = {quoted(name)};", *undo.statements]
            undo.cannot.append("It is made inside CREATE SCHEMA: make it with a statement of its own.")
        undos += made
    scene.path = outer
    return undos


def _setting(scene: Scene, node: ast.VariableSetStmt) -> list[Undo]:
    if node.name == "search_path":
        values = [getattr(getattr(arg, "val", None), "sval", None) for arg in node.args or ()]
        if node.args and None not in values:
            scene.path = [value for value in values if value and value != "$user"]
        else:
            scene.path = None
    if node.name == "session_authorization":
        raise CannotInvert(
            "What follows belongs to another role: name it in the rollback as well, where it has to."
        )
    if node.name == "role":
        scene.role = _value(node)
    if node.name == "session_replication_role":
        scene.replica = _value(node) == "replica"
    return []


def _value(node: ast.VariableSetStmt) -> str | None:
    """What a setting is given; None where that is its default."""
    value = getattr(getattr(node.args[0], "val", None), "sval", None) if node.args else None
    return None if value == "none" else value


def _cluster(scene: Scene, node: ast.ClusterStmt) -> list[Undo]:
    if node.relation is None or not node.indexname:
        return []
    table = name_of(node.relation)
    if scene.is_temporary(table) or scene.is_born("relation", table):
        return []
    facts = scene.relation(table)
    before = facts["clustered"]
    if before and scene.key("relation", (*table[:-1], unquoted(before))) in scene.gone:
        raise CannotInvert(f"The table was marked to be sorted by {before}, which is dropped: mark it again.")
    head = f"ALTER {'MATERIALIZED VIEW' if facts['kind'] == 'm' else 'TABLE'} {quoted(*table)}"
    return [
        Undo(
            [f"{head} {f'CLUSTER ON {before}' if before else 'SET WITHOUT CLUSTER'};"],
            about=scene.key("relation", table),
        )
    ]


def _transaction(scene: Scene, node: ast.TransactionStmt) -> list[Undo]:
    if node.kind.name == "TRANS_STMT_ROLLBACK":
        raise CannotInvert("It undoes part of the script itself: which statements hold is not followed.")
    return []


def _prepare(scene: Scene, node: ast.PrepareStmt) -> list[Undo]:
    scene.prepared[node.name] = node.query
    return []


def _execute(scene: Scene, node: ast.ExecuteStmt) -> list[Undo]:
    query = scene.prepared.get(node.name)
    return _HANDLERS.get(type(query), _unknown)(scene, query)


def _block(scene: Scene, node: ast.DoStmt) -> list[Undo]:
    undos: list[Undo] = []
    around = (scene.path, scene.role, scene.replica)
    for statement, once in blocks.statements_of(node):
        made = _HANDLERS.get(type(statement), _unknown)(scene, statement)
        _note(scene, made)
        undos += made if once else [blocks.perhaps(scene, undo) for undo in made]
    if (scene.path, scene.role, scene.replica) != around:
        raise CannotInvert(
            "A DO block sets what the statements after it depend on: write what takes it back."
        )
    return undos


#: Statements that make nothing.
_TAKES_AWAY = re.compile(r"DROP |REVOKE |DELETE |ALTER TABLE \S+ DROP ")

_HANDLERS: Mapping[type, _Handler] = {
    **creating.HANDLERS,
    **changing.HANDLERS,
    **rows.HANDLERS,
    ast.SelectStmt: lambda scene, node: (
        creating.select_into(scene, node) if node.intoClause else rows.HANDLERS[ast.SelectStmt](scene, node)
    ),
    ast.AlterTableStmt: alter_table,
    ast.GrantStmt: take_back_grant,
    ast.CreateSchemaStmt: _schema,
    ast.VariableSetStmt: _setting,
    ast.VariableShowStmt: _nothing,
    ast.TransactionStmt: _transaction,
    ast.ClusterStmt: _cluster,
    # Nothing of the schema and no row is other afterwards.
    ast.VacuumStmt: _nothing,
    ast.ReindexStmt: _nothing,
    ast.LockStmt: _nothing,
    ast.CheckPointStmt: _nothing,
    ast.ConstraintsSetStmt: _nothing,
    ast.NotifyStmt: _nothing,
    ast.DiscardStmt: _nothing,
    ast.ExplainStmt: _explained,
    ast.PrepareStmt: _prepare,
    ast.ExecuteStmt: _execute,
    ast.DoStmt: _block,
    ast.DeallocateStmt: _nothing,
    ast.DeclareCursorStmt: _nothing,
    ast.FetchStmt: _nothing,
    ast.ClosePortalStmt: _nothing,
    ast.ListenStmt: _nothing,
    ast.UnlistenStmt: _nothing,
    ast.RefreshMatViewStmt: _nothing,
}
