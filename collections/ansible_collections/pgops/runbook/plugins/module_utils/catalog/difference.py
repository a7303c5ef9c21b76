# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two catalogs, in words, and what a rollback must leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .rights import without

__all__ = [
    "Difference",
    "describe",
    "difference",
    "part_of",
    "relation_of",
    "undone",
    "without_last_name",
]

_LONGEST_VALUE = 100

# Facts of an object that go with it, are kept in the salvage and come back with the next deploy.
TAKEN_ALONG = ("privileges",)


def _taken_along(fact: str, made: Any, now: Any) -> bool:
    """Whether a fact of an object that a migration made may have changed since: what it has more is kept."""
    if fact == "labels":
        # Added ones; neither renamed nor put into another order.
        return [label for label in now or () if label in (made or ())] == made
    return fact in TAKEN_ALONG


@dataclass(frozen=True)
class Difference:
    """From one catalog to another; empty means equal.

    Attributes:
        added: entries that only the second has.
        removed: entries that only the first has.
        changed: by key and fact, what it was and what it is; None where there is no such fact.
    """

    added: dict[str, dict[str, Any]] = field(default_factory=dict)
    removed: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, dict[str, tuple[Any, Any]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Compare two catalogs as read_catalog() returns them (or as JSON brought them back)."""
    changed = {}
    for key in sorted(before.keys() & after.keys()):
        was, is_ = before[key], after[key]
        if was != is_:
            changed[key] = {
                fact: (was.get(fact), is_.get(fact))
                for fact in sorted(was.keys() | is_.keys())
                if was.get(fact) != is_.get(fact)
            }
    return Difference(
        {key: dict(after[key]) for key in sorted(after.keys() - before.keys())},
        {key: dict(before[key]) for key in sorted(before.keys() - after.keys())},
        changed,
    )


def describe(value: Difference) -> list[str]:
    """Lines for the person on call.

    The parts of a table that is missing or new (columns, constraints, indexes …) are counted in its line
    instead of listed.
    """
    return [
        *_whole_objects(value.removed, "missing"),
        *_whole_objects(value.added, "was not there before"),
        *(_change(key, facts) for key, facts in value.changed.items()),
    ]


_CONTAINERS = ("table ", "foreign table ", "view ", "materialized view ", "composite type ")


def part_of(key: str, facts: Mapping[str, Any]) -> str | None:
    """Identity of the relation that the entry is a part of and disappears with, if any.

    The keys "column", "constraint", "trigger", "rule" and "policy" end with "<relation>.<name>".
    """
    noun, _, identity = key.partition(" ")
    if key.startswith("column order "):
        return key[len("column order ") :]
    if noun in ("column", "constraint", "trigger", "rule", "policy"):
        return without_last_name(identity)
    if noun in ("index", "statistics") and isinstance(facts.get("table"), str):
        return facts["table"]
    if noun == "sequence" and facts.get("owned by"):
        return without_last_name(facts["owned by"])
    return None


def without_last_name(identity: str) -> str:
    """``public.t`` of ``public.t.c``."""
    # A quoted name may contain dots, and doubled quotes.
    return re.sub(r'\.(?:"(?:[^"]|"")*"|[^."]*)$', "", identity)


def relation_of(key: str) -> str | None:
    """Identity of the relation that the key is of; None where it is of something else."""
    for container in _CONTAINERS:
        if key.startswith(container):
            return key[len(container) :]
    return None


def _whole_objects(entries: Mapping[str, Mapping[str, Any]], words: str) -> Iterable[str]:
    parts = {identity: 0 for identity in map(relation_of, entries) if identity}
    alone = []
    for key, facts in entries.items():
        owner = part_of(key, facts)
        if owner in parts:
            parts[owner] += 1
        else:
            alone.append(key)
    for key in alone:
        count = parts.get(relation_of(key) or "", 0)
        yield f"{key}: {words}" + (f" (with {count} columns, constraints and other parts)" if count else "")


def _change(key: str, facts: Mapping[str, tuple[object, object]]) -> str:
    return f"{key}: " + "; ".join(f"{fact} {_was_is(was, is_)}" for fact, (was, is_) in facts.items())


def _was_is(was: object, is_: object) -> str:
    if isinstance(was, list) and isinstance(is_, list):
        gone = [item for item in was if item not in is_]
        new = [item for item in is_ if item not in was]
        if gone or new:
            words = [f"lacks {_short(item)}" for item in gone] + [f"has {_short(item)} more" for item in new]
            return _shorten(" and ".join(words), 3 * _LONGEST_VALUE)
    if isinstance(was, str) and isinstance(is_, str) and max(len(was), len(is_)) > _LONGEST_VALUE:
        start = next(
            (i for i, (a, b) in enumerate(zip(was, is_)) if a != b),
            min(len(was), len(is_)),
        )
        start = max(0, start - 20)
        lead = "…" if start else ""
        return f"was {lead}{_short(was[start:])}, is {lead}{_short(is_[start:])}"
    return f"was {_short(was)}, is {_short(is_)}"


def _short(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _shorten("(" + ", ".join(map(str, value)) + ")", _LONGEST_VALUE)
    text = " ".join(str(value).split())
    return _shorten(text, _LONGEST_VALUE) if text else "empty"


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def undone(
    current: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Take the change from `before` to `after` out of `current`, key by key and fact by fact.

    Args:
        current: the catalog now.
        before: the catalog before the migration.
        after: the catalog right after the migration.

    Returns:
        the catalog that the rollback must leave, and the conflicts: lines naming what somebody changed since
        although the migration had changed it. Without later changes it is exactly `before`.
    """
    delta = difference(before, after)
    expected = {key: dict(facts) for key, facts in current.items()}
    conflicts: list[str] = []

    for key, facts in delta.added.items():
        now = expected.pop(key, None)
        if now is None:
            conflicts.append(f"{key}: the migration made it, but it is no longer there")
        elif now != facts:
            names = sorted(
                fact
                for fact in now.keys() | facts.keys()
                if now.get(fact) != facts.get(fact) and not _taken_along(fact, facts.get(fact), now.get(fact))
            )
            if not names:
                continue
            conflicts.append(f"{key}: the migration made it, and its {', '.join(names)} changed since")
    conflicts.extend(_take_parts_along(expected, before, delta.added))

    for key, facts in delta.removed.items():
        if key in expected:
            conflicts.append(f"{key}: the migration removed it, but it is there again")
        expected[key] = dict(facts)

    for key, facts in delta.changed.items():
        if key not in expected:
            conflicts.append(f"{key}: the migration changed it, but it is no longer there")
            continue
        entry = expected[key]
        for fact, (was, made) in facts.items():
            if fact == "privileges":
                # Right by right nothing conflicts: what people changed since stands, or is kept with the salvage.
                entry[fact] = without(entry.get(fact) or (), was, made)
                if was is None and not entry[fact]:
                    del entry[fact]  # of a column without any
                continue
            value, clear = _reverse(entry.get(fact), was, made)
            if not clear:
                conflicts.append(f"{key}: the migration changed its {fact}, which changed again since")
            if value is None:
                entry.pop(fact, None)
            else:
                entry[fact] = value
    return {key: expected[key] for key in sorted(expected)}, conflicts


def _take_parts_along(
    expected: dict[str, dict[str, Any]], before: Mapping[str, Any], added: Mapping[str, Any]
) -> list[str]:
    """Dropping a table drops what later migrations put on it."""
    made = {key.split(" ", 1)[1] for key in added if key.split(" ", 1)[0] in ("table", "view")}
    made |= {key[len("materialized view ") :] for key in added if key.startswith("materialized view ")}
    made |= {key[len("foreign table ") :] for key in added if key.startswith("foreign table ")}
    conflicts = []
    for key, facts in list(expected.items()):
        # What was there before belongs to a relation that the migration made anew (a view for a table).
        if part_of(key, facts) in made and key not in before:
            del expected[key]
            conflicts.append(f"{key}: was put on a relation that the migration made")
    return conflicts


def _reverse(now: Any, was: Any, made: Any) -> tuple[Any, bool]:
    """The value after undoing was -> made on what is there now, and whether nobody else had touched it."""
    if now == made:
        return was, True
    if now == was:
        return was, False
    if all(_is_set_of_names(value) for value in (now, was, made)):
        return _reverse_list(now, was, made)
    return was, False


def _is_set_of_names(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(item, str) for item in value)
        and len(set(value)) == len(value)
    )


def _reverse_list(now: list[str], was: list[str], made: list[str]) -> tuple[list[str], bool]:
    """Undo additions to and removals from a list (columns in order, enum labels)."""
    new = [item for item in made if item not in was]
    gone = [item for item in was if item not in made]
    clear = all(item in now for item in new) and not any(item in now for item in gone)
    result = [item for item in now if item not in new]
    # Each one that is missing goes right behind the nearest one that stood before it.
    for position, item in enumerate(was):
        if item in gone and item not in result:
            predecessor = next((p for p in reversed(was[:position]) if p in result), None)
            result.insert(0 if predecessor is None else result.index(predecessor) + 1, item)
    if not new and not gone:  # only the order changed
        return was, False
    return result, clear
