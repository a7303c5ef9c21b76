# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions over the order of migrations: what is pending, what is missing, what depends on what.

Pure, and without an SQL parser: works on the index that the controller made of its SQL folder
(plugin_utils/sql/library.py), a list in order of {"version": ..., "requires": [...], ...}.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import Refused

__all__ = [
    "cascade_order",
    "dependents",
    "in_order_of_deploys",
    "later_than",
    "left_out",
    "pending",
    "refuse_needed",
    "these_newest_first",
    "unknown_applied",
    "unmet_requirements",
]

Index = Sequence[Mapping[str, Any]]


def in_order_of_deploys(index: Index, deployed: Sequence[str]) -> Index:
    """The index with the migrations that were deployed in the order in which that happened.

    One that does not say what it requires may require whatever was there before it. That is told by when it was
    deployed, not by its name: after a merge a migration may come that is called like an earlier one.

    Args:
        index: in the order of the names.
        deployed: versions in the order of their deploys, as the ledger has it; others keep their places.
    """
    place = {version: number for number, version in enumerate(deployed)}
    # Of a script whose header cannot be read nothing is taken for required.
    cautious = {
        entry["version"]
        for number, entry in enumerate(index)
        if not entry.get("requires_declared", True) and len(entry["requires"]) == number
    }
    known = sorted(
        (entry for entry in index if entry["version"] in place), key=lambda entry: place[entry["version"]]
    )
    moved = iter(known)
    ordered = [next(moved) if entry["version"] in place else entry for entry in index]
    return [
        {**entry, "requires": [earlier["version"] for earlier in ordered[:number]]}
        if entry["version"] in cautious
        else entry
        for number, entry in enumerate(ordered)
    ]


def pending(index: Index, applied: Collection[str], until: str = "", skip: Collection[str] = ()) -> list[str]:
    """The versions that are not applied, in the order in which to apply them.

    Args:
        until: the last that is wanted; empty for all.
        skip: versions to leave out, and with them what requires them.
    """
    without = left_out(index, applied, skip)
    wanted = [entry["version"] for entry in _up_to(index, until)]
    return [version for version in wanted if version not in applied and version not in without]


def left_out(
    index: Index, applied: Collection[str], skip: Collection[str], until: str = ""
) -> dict[str, str]:
    """Pending version -> the version that is skipped for which it is left out: itself, or one that it requires."""
    causes: dict[str, str] = {}
    skipped = set(skip) - set(applied)
    for entry in _up_to(index, until):
        version = entry["version"]
        if version in applied:
            continue  # nor does it matter to those that require it
        cause = next((one for one in (version, *entry["requires"]) if one in skipped or one in causes), None)
        if cause is not None:
            causes[version] = causes.get(cause, cause)
    return causes


def _up_to(index: Index, until: str) -> Index:
    """The migrations up to and with one; all, where none is named."""
    versions = [entry["version"] for entry in index]
    return index[: versions.index(until) + 1] if until else index


def unmet_requirements(index: Index, version: str, applied: Collection[str]) -> list[str]:
    """What `version` requires, directly or through others, and is not applied; in the order to apply it.

    Raises:
        Refused: the index does not know the version.
    """
    needed = _reachable(version, _edges(index, version))
    return [
        entry["version"] for entry in index if entry["version"] in needed and entry["version"] not in applied
    ]


def dependents(index: Index, version: str, applied: Collection[str]) -> list[str]:
    """The applied migrations that require `version`, directly or through others; the newest first.

    A migration between the two that is not applied does not cut the dependency: who skipped it is not known.

    Raises:
        Refused: the index does not know the version.
    """
    requires = _edges(index, version)
    needed_by: dict[str, list[str]] = {known: [] for known in requires}
    for name, requirements in requires.items():
        for requirement in requirements:
            needed_by[requirement].append(name)
    above = _reachable(version, needed_by)
    return [
        entry["version"]
        for entry in reversed(index)
        if entry["version"] in above and entry["version"] in applied
    ]


def cascade_order(index: Index, version: str, applied: Collection[str]) -> list[str]:
    """The order in which to roll back `version` and all that stands on it: dependents first, it last.

    Raises:
        Refused: the index does not know the version.
    """
    return [*dependents(index, version, applied), version]


def later_than(index: Index, version: str, applied: Collection[str]) -> list[str]:
    """The applied migrations that come after `version`, in the order in which to roll them back.

    Raises:
        Refused: the index does not know the version, or what would stay requires one of them.
    """
    _edges(index, version)
    versions = [entry["version"] for entry in index]
    later = [name for name in reversed(versions[versions.index(version) + 1 :]) if name in applied]
    refuse_needed(index, version, later, applied)
    return later


def refuse_needed(index: Index, state: str, later: Sequence[str], applied: Collection[str]) -> None:
    """
    Args:
        state: what they come after.
        later: those that are to be taken back.

    Raises:
        Refused: what would stay requires one of them.
    """
    _refuse_needed(index, later, applied, f"comes after {state}, but")


def these_newest_first(index: Index, versions: Collection[str], applied: Collection[str]) -> list[str]:
    """Those of `versions` that are applied, in the order in which to roll them back.

    Raises:
        Refused: the index does not know one, or what would stay requires one of them.
    """
    known = [entry["version"] for entry in index]
    going = [name for name in reversed(known) if name in versions and name in applied]
    _refuse_needed(index, going, applied, "is not taken back:")
    return going


def _refuse_needed(index: Index, going: Sequence[str], applied: Collection[str], what: str) -> None:
    """
    Args:
        going: those that are to be taken back.
        what: of one of them, before the names of those that hold it.

    Raises:
        Refused: what would stay requires one of them.
    """
    for version in going:
        staying = [name for name in dependents(index, version, applied) if name not in going]
        if staying:
            raise Refused(
                "needed_by_later_migration",
                f"Migration {version} {what} {', '.join(staying)} would stay and depend on it. Take them back first:"
                f" ansible-playbook emergency_rollback.yml -e migration={staying[0]}",
            )


def unknown_applied(index: Index, applied: Collection[str]) -> list[str]:
    """The recorded versions for which the folder has no migration, sorted."""
    known = {entry["version"] for entry in index}
    return sorted(name for name in applied if name not in known)


def _edges(index: Index, version: str) -> dict[str, list[str]]:
    requires = {entry["version"]: list(entry["requires"]) for entry in index}
    if version not in requires:
        raise Refused("migration_unknown", f"there is no migration {version!r} in sql_dir", migration=version)
    return requires


def _reachable(start: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Everything that follows from `start` along the edges, without itself."""
    reached: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(edges[name])
    return reached
