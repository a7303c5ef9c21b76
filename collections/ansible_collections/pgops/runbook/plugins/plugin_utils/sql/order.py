# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of migrations that their requirements give, found from the headers of their scripts."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .folder import SqlLibraryError
from .found import Found
from .script import SqlScriptError, header_lines

__all__ = [
    "UnknownRequirement",
    "cycle_error",
    "in_order_of_rank",
    "requirements",
    "topological_order",
]

Rank = tuple[Any, ...]


class UnknownRequirement(SqlScriptError):
    """Something requires what is no migration; ``stem`` is the migration that does."""

    def __init__(self, code: str, what: str, path: str, line: int, column: int, stem: str) -> None:
        super().__init__(code, what, path, line, column)
        self.stem = stem


def in_order_of_rank(versions: Iterable[str], rank: Mapping[str, Rank]) -> list[str]:
    """Without regard to requirements."""
    return sorted(versions, key=rank.__getitem__)


def topological_order(requires: Mapping[str, Sequence[str]], rank: Mapping[str, Rank]) -> list[str]:
    """Versions so that each follows its requirements; otherwise by rank.

    Of a cycle and what stands on it nothing is returned; see cycle_error.
    """
    missing = {version: set(needed) for version, needed in requires.items()}
    needed_by: dict[str, list[str]] = {version: [] for version in requires}
    for version, needed in missing.items():
        for requirement in needed:
            needed_by[requirement].append(version)
    ready = [(rank[version], version) for version, needed in missing.items() if not needed]
    heapq.heapify(ready)
    order = []
    while ready:
        version = heapq.heappop(ready)[1]
        order.append(version)
        for dependent in needed_by[version]:
            missing[dependent].discard(version)
            if not missing[dependent]:
                heapq.heappush(ready, (rank[dependent], dependent))
    return order


def _find_cycle(requires: Mapping[str, Sequence[str]]) -> list[str] | None:
    """A cycle of requirements as [a, b, ..., a], or None."""
    finished: set[str] = set()
    for start in sorted(requires):
        path: list[str] = []
        # (version, its requirements still to follow); a stack instead of recursion: chains may be long.
        stack = [(start, iter(requires[start]))] if start not in finished else []
        path.extend(version for version, _rest in stack)
        while stack:
            requirement = next(stack[-1][1], None)
            if requirement is None:
                finished.add(stack.pop()[0])
                path.pop()
            elif requirement in path:
                return [*path[path.index(requirement) :], requirement]
            elif requirement not in finished:
                stack.append((requirement, iter(requires[requirement])))
                path.append(requirement)
    return None


def requirements(migrations: Collection[Found]) -> dict[str, list[str]]:
    """Version -> the versions it requires: stated by layout or header, or cautiously all that come earlier by rank.

    Raises:
        UnknownRequirement: a migration is required that the folder does not have, or several could be meant.
    """
    requires: dict[str, list[str]] = {}
    by_name = {one.version: one.version for one in migrations} | {one.stem: one.version for one in migrations}
    earlier: list[str] = []
    for migration in sorted(migrations, key=lambda one: one.rank):
        # What a script requires that cannot be read is not known. It is never applied; and a rollback, which may come
        # as far as here with one, compares the schema before COMMIT.
        requires[migration.version] = [] if migration.apply.problem else list(earlier)
        earlier.append(migration.version)
        stated = migration.apply.header.requires if migration.requires is None else migration.requires
        if stated is None or migration.apply.problem:
            continue
        for name in stated:
            if name not in by_name:
                raise _unknown(migration, name, migrations)
        requires[migration.version] = list(dict.fromkeys(by_name[name] for name in stated))
    return requires


def _unknown(migration: Found, name: str, migrations: Iterable[Found]) -> UnknownRequirement:
    line, column = header_lines(migration.apply.text)["requires"] if migration.requires is None else (1, 1)
    sharing = [other.stem for other in migrations if re.match(r"\d*", other.stem)[0] == name]  # type: ignore[index]  # matches nothing, too
    why = f"could be {' or '.join(sharing)}" if sharing else "is no migration of this folder"
    return UnknownRequirement(
        "requirement_unknown",
        f"requires {name}, which {why}",
        migration.apply.path,
        line,
        column,
        migration.stem,
    )


def cycle_error(requires: Mapping[str, Sequence[str]], silent: Collection[str]) -> SqlLibraryError:
    """The error that names one circle among the requirements that topological_order could not put in order.

    Args:
        requires: what is left over; requirements outside of it are disregarded.
        silent: the versions that declare nothing and so require all earlier ones.
    """
    stuck = {version: [name for name in needed if name in requires] for version, needed in requires.items()}
    cycle = _find_cycle(stuck) or sorted(stuck)
    mute = ", ".join(version for version in cycle[:-1] if version in silent)
    hint = f"; {mute} has no '-- Requires:' line and so requires all earlier ones" if mute else ""
    return SqlLibraryError(
        "requirements_circular",
        f"the migrations require each other in a circle: {' -> '.join(cycle)}{hint}",
        cycle=cycle,
    )
