# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""COMMENT and SECURITY LABEL taken back: what was said of an object is said again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pglast import ast, enums

from .addresses import ON_TABLES, address_of, is_born
from .names import literal, parts_of, printed, quoted
from .undo import CannotInvert, Scene, Undo

__all__ = ["comment", "label"]

_Object = enums.ObjectType


def _described(scene: Scene, node: Any) -> Mapping[str, Any] | None:
    """The object that a comment or label is about, as the database has it; None where the script has made it.

    Raises:
        Unanswered, CannotInvert: the database has none.
    """
    objtype, item = node.objtype, node.object
    if objtype == _Object.OBJECT_COLUMN:
        *table, column = parts_of(item)
        if scene.is_temporary(tuple(table)) or scene.is_born("column", tuple(table), column):
            return None
        relation = scene.relation(tuple(table))
        live = scene.column_in_database(tuple(table), column)
        found = relation["columns"].get(quoted(live))
        if found is None:
            raise CannotInvert(f"The database has no column {quoted(live)} of {quoted(*table)}.")
        return {"comment": found["comment"], "labels": {}}
    if objtype in (_Object.OBJECT_ROLE, _Object.OBJECT_DATABASE, _Object.OBJECT_TABLESPACE):
        raise CannotInvert("It is about the whole server, and not about what is in this database.")
    kind, name, args = address_of(objtype, item)
    if kind == "relation" and scene.is_temporary(name):
        return None
    if is_born(scene, kind, name, args):
        return None
    if kind == "table constraint" and scene.is_born("constraint", name[:-1], name[-1]):
        return None
    if kind in ON_TABLES.values() and scene.is_born("relation", name[:-1]):
        return None
    if kind in ("table constraint", *ON_TABLES.values()):
        names = [*scene.name_in_database("relation", name[:-1]), name[-1]]
        facts = scene.live.ask(kind, names, (), **({"path": scene.path} if scene.path is not None else {}))
    else:
        facts = scene.find(kind, name, args)
    if facts is None:
        raise CannotInvert(
            f"The database has no {kind} {quoted(*name)}, so that it is not known what was said of it."
        )
    return facts


def comment(scene: Scene, node: ast.CommentStmt) -> list[Undo]:
    facts = _described(scene, node)
    if facts is None:
        return []
    back = copy.deepcopy(node)
    back.comment = "x"
    text = printed(back)
    # The printer's own constants know nothing of backslashes.
    head = text[: text.rindex(" IS ")]
    return [Undo([f"{head} IS {literal(facts['comment'])};"])]


def label(scene: Scene, node: ast.SecLabelStmt) -> list[Undo]:
    facts = _described(scene, node)
    if facts is None:
        return []
    if node.objtype == _Object.OBJECT_COLUMN:
        raise CannotInvert("The label that the column had is not read: write it.")
    if not node.provider:
        raise CannotInvert("It names no provider: FOR <provider>.")
    back = copy.deepcopy(node)
    back.label = "x"
    text = printed(back)
    head = text[: text.rindex(" IS ")]
    return [Undo([f"{head} IS {literal(facts['labels'].get(node.provider))};"])]
