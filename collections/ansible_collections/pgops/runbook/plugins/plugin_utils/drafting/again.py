# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a statement drops or replaces, made again from the database's own definition of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .names import Name, quoted
from .undo import CannotInvert, Scene, Undo

__all__ = ["made_again", "remade", "with_rows"]


def made_again(scene: Scene, facts: Mapping[str, Any], undo: Undo) -> Undo:
    """Add the statements that make it, without those that an earlier statement's undo has already.

    Args:
        facts: an answer to a question with "dump".
    """
    taken = scene.taken()
    for one in facts["made"]["statements"]:
        if one["entry"] not in taken:
            undo.statements.append(one["sql"])
            undo.entries.append(one["entry"])
    for column in facts["made"]["columns"]:
        undo.cannot.append(f"CASCADE drops column {column} too: write how it comes back.")
    return undo


def remade(scene: Scene, drop: str, kind: str, name: Name, args: Sequence[str] = (), words: str = "") -> Undo:
    """Drop it and make it again as it was: for objects that hold nothing but their definition.

    Args:
        drop: the statement that drops it, as it is called where this statement is taken back.

    Raises:
        Unanswered, CannotInvert: there is none in the database, or others rest on it.
    """
    facts = scene.find(kind, name, args, dump=True)
    what = words or f"{kind} {quoted(*name)}"
    if facts is None:
        raise CannotInvert(f"The database has no {what}, so that it is not known what it was before.")
    if facts["used"]:
        raise CannotInvert(
            f"Other objects rest on {what}, so that it cannot be dropped and made again as it was; alter it back."
        )
    undo = Undo([drop])
    return made_again(scene, facts, undo)


def with_rows(facts: Mapping[str, Any]) -> list[str]:
    """What is lost with a relation that is made again, in sentences."""
    if facts.get("rows") and facts["kind"] != "m":
        return [
            f"{facts['identity']} has rows, and the rollback makes it without them. Have the migration keep"
            " them (rename"
            " it instead), or leave it so, in which case a rehearsal asks for the consent accept_data_loss."
        ]
    return []
