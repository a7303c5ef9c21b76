# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration changes in the schema, object by object, as people read it: for reports, not for comparing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..shapes import Json
from .difference import Difference, describe, part_of, relation_of

__all__ = ["schema_changes"]

# What a report can hold; of more than that nobody reads each.
LIMIT = 500
LONGEST_DEFINITION = 600


def schema_changes(change: Difference) -> Json:
    """The objects that a change adds, removes and alters.

    Parts of a table that comes or goes with it are counted in its line, so that a key that is dropped is one line, and
    a new table is another.

    Returns:
        dict: changes, a list of {"sign": "+", "-" or "~", "object", "definition"}; more, how many are left out.
    """
    lines = [
        *_whole("-", change.removed),
        *_whole("+", change.added),
        *_altered(change),
    ]
    return {"changes": lines[:LIMIT], "more": max(len(lines) - LIMIT, 0)}


def _whole(sign: str, entries: Mapping[str, Mapping[str, Any]]) -> list[Json]:
    relations = {relation for relation in map(relation_of, entries) if relation}
    return [
        {"sign": sign, "object": key, "definition": _definition(key, facts, entries)}
        for key, facts in entries.items()
        if part_of(key, facts) not in relations and not key.startswith("column order ")
    ]


def _altered(change: Difference) -> list[Json]:
    """The order of columns follows from those that came and went, and is told where nothing else is."""
    told = {key: facts for key, facts in change.changed.items() if not key.startswith("column order ")}
    if not told and not change.added and not change.removed:
        told = dict(change.changed)
    lines = []
    for line in describe(Difference({}, {}, told)):
        key, _, words = line.partition(": ")
        lines.append({"sign": "~", "object": key, "definition": words})
    return lines


def _definition(key: str, facts: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> str:
    for name in ("definition", "body"):
        if isinstance(facts.get(name), str):
            return _cut(facts[name].strip())
    if key.startswith("column "):
        return _column(facts)
    relation = relation_of(key)
    if relation:
        columns = [
            f"{other.rpartition('.')[2]} {_column(its)}"
            for other, its in entries.items()
            if other.startswith("column ")
            and not other.startswith("column order ")
            and part_of(other, its) == relation
        ]
        return _cut(", ".join(columns))
    if facts.get("labels"):
        return _cut(", ".join(map(str, facts["labels"])))
    return str(facts.get("type") or facts.get("version") or "")


def _column(facts: Mapping[str, Any]) -> str:
    default = facts.get("default")
    return " ".join(
        filter(
            None,
            [
                str(facts.get("type") or ""),
                f"DEFAULT {default}" if default else "",
                "NOT NULL" if facts.get("not null") else "",
            ],
        )
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_DEFINITION else f"{text[:LONGEST_DEFINITION]} …"
