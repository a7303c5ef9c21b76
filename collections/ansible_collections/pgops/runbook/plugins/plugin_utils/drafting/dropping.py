# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""DROP taken back: what is dropped is made again as the database has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pglast import ast, enums

from .addresses import address_of, born_key
from .again import made_again, with_rows
from .names import Name, literal, quoted
from .undo import CannotInvert, Scene, Undo

__all__ = ["drop"]


def drop(scene: Scene, node: ast.DropStmt) -> list[Undo]:
    cascade = node.behavior == enums.DropBehavior.DROP_CASCADE
    there: list[tuple[str, Name, list[str]]] = []
    for item in node.objects:
        kind, name, args = address_of(node.removeType, item)
        if kind == "relation" and scene.is_temporary(name):
            scene.temporary.discard(name[-1])
            continue
        if name[0] == "pg_temp" or scene.erase(born_key(scene, kind, name, args)):
            continue
        if kind in ("trigger", "rule", "policy") and scene.is_born("relation", name[:-1]):
            continue
        if kind == "routine of any arguments" and scene.is_routine_born(name):
            raise CannotInvert("The script makes a routine of this name: say which arguments it has.")
        there.append((kind, name, args))
    if not there:
        return []
    if node.missing_ok:
        there = [one for one in there if scene.find(*one) is not None]
        if not there:
            return []
    return [_dropped(scene, there, cascade)]


def _dropped(scene: Scene, there: Sequence[tuple[str, Name, list[str]]], cascade: bool) -> Undo:
    loses: list[str] = []
    numbers: list[str] = []
    for kind, name, args in there:
        facts = scene.find(kind, name, args)
        if facts is None:
            raise CannotInvert(
                f"The database has no {kind} {quoted(*name)}, so that it is not known what it was before."
            )
        loses += with_rows(facts)
        if facts.get("sequence"):
            going_on = _goes_on(facts["identity"], facts["sequence"])
            numbers += going_on
            if facts["sequence"]["used"] and not going_on:
                loses.append(_NOT_KNOWN.format(facts["identity"]))
        if any(one["disabled"] for one in facts.get("constraints", {}).values()):
            raise CannotInvert(
                f"Triggers of a constraint of {quoted(*name)} are disabled, which no definition says."
            )
    (kind, name, args), *others = there
    beside = [
        {"type": other, "names": scene.name_in_database(other, called), "args": list(given)}
        for other, called, given in others
    ]
    options = {"dump": True, "cascade": cascade, **({"beside": beside} if beside else {})}
    facts = scene.find(kind, name, args, **options)
    undo = made_again(scene, facts or {"made": {"statements": [], "columns": []}}, Undo(loses=loses))
    for kind, name, args in there:
        scene.erase(born_key(scene, kind, name, args))
        scene.gone.add(born_key(scene, kind, name, args))
    undo.statements += numbers if undo.statements else []
    if not undo.statements:
        undo.cannot.append("pg_dump writes nothing that makes it again.")
    return undo


_NOT_KNOWN = "Where the numbers of {} go on is not known when this is taken back: write the setval() for it."


def _goes_on(sequence: str, facts: Mapping[str, Any]) -> list[str]:
    """What has a sequence go on where the column is that it numbers; nothing where it numbers none.

    Args:
        sequence: with its schema, quoted.
        facts: see module_utils/definitions/relations.py.
    """
    if facts["numbered_table"] is None or facts["increment"].startswith("-"):
        return []
    largest = f"max({facts['numbered_column']})"
    return [
        f"SELECT setval({literal(sequence)}, {largest}) FROM {facts['numbered_table']} HAVING {largest} IS NOT NULL;"
    ]
