# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no rollback can take back: a column that comes back goes to the end, and a label of an enum stays.

PostgreSQL has no statement for either (manual, ALTER TABLE, "ADD COLUMN"; ALTER TYPE, "ADD VALUE"). A rollback that
leaves it says so in its header, one line each, as in ``-- Leaves: column order orders`` and
``-- Leaves: enum label mood.trial``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from .difference import Difference

__all__ = ["COLUMN_ORDER", "ENUM_LABEL", "beyond_residue", "header_line", "undeclared"]

COLUMN_ORDER = "column order"
ENUM_LABEL = "enum label"
PUBLIC = "public."


def beyond_residue(difference: Difference) -> tuple[Difference, list[str]]:
    """Part what differs after a rollback into what it should have given back and what it could not.

    Args:
        difference: from the schema before the migration to the one after its rollback.

    Returns:
        what is left of the difference, and each residue as a header names it, with its schema.
    """
    changed: dict[str, dict[str, tuple[Any, Any]]] = {}
    residue: list[str] = []
    for key, facts in difference.changed.items():
        left = {}
        for fact, (was, is_) in facts.items():
            names = _residue_of(key, fact, was, is_)
            residue += names
            if not names:
                left[fact] = (was, is_)
        if left:
            changed[key] = left
    return Difference(difference.added, difference.removed, changed), residue


def _residue_of(key: str, fact: str, was: Any, is_: Any) -> list[str]:
    if not (isinstance(was, list) and isinstance(is_, list)):
        return []
    if key.startswith(f"{COLUMN_ORDER} ") and sorted(was) == sorted(is_):
        return [key]
    if key.startswith("enum ") and fact == "labels" and [label for label in is_ if label in was] == was:
        return [f"{ENUM_LABEL} {key[len('enum ') :]}.{label}" for label in is_ if label not in was]
    return []


def undeclared(residue: Iterable[str], declared: Collection[str]) -> list[str]:
    """Those of ``residue`` that no header declares; a name without schema is one in any."""
    return [one for one in residue if not {one, _told(one, _without_schema)} & set(declared)]


def header_line(residue: str) -> str:
    """The line for the header of the rollback script, with the schema where that is not public."""
    return f"-- Leaves: {_told(residue, _without_public)}"


def _told(residue: str, name: Callable[[str], str]) -> str:
    kind = COLUMN_ORDER if residue.startswith(COLUMN_ORDER) else ENUM_LABEL
    return f"{kind} {name(residue[len(kind) + 1 :])}"


def _without_schema(identity: str) -> str:
    # A quoted name may contain dots.
    return re.sub(r'^(?:"(?:[^"]|"")*"|[^."]*)\.', "", identity)


def _without_public(identity: str) -> str:
    return identity[len(PUBLIC) :] if identity.startswith(PUBLIC) else identity
