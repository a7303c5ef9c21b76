# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of migrations that their requirements give, found from the headers of their scripts."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from .folder import Script, SqlLibraryError
from .script import SqlScriptError, header_lines

__all__ = [
    "UnknownRequirement",
    "cycle_error",
    "in_order_of_names",
    "number_of",
    "requirements",
    "topological_order",
    "versions_of",
]


def number_of(stem: str) -> int | None:
    """The leading number of a file's stem (`009_text_metadata` -> 9), or None."""
    match = re.match(r"(\d+)(?=[_.-]|$)", stem)
    return int(match[1]) if match else None


class UnknownRequirement(SqlScriptError):
    """A header requires what is no migration; ``stem`` is the migration whose header it is."""

    def __init__(self, code: str, what: str, path: str, line: int, column: int, stem: str) -> None:
        super().__init__(code, what, path, line, column)
        self.stem = stem


def versions_of(stems: Iterable[str]) -> dict[str, str]:
    """Stem -> version: the digits as written; the whole stem without number, or where a number is shared."""
    stems = list(stems)
    shared = [number_of(stem) for stem in stems]
    versions = {}
    for stem, number in zip(stems, shared, strict=True):
        unique = number is not None and shared.count(number) == 1
        versions[stem] = re.match(r"\d+", stem)[0] if unique else stem  # type: ignore[index]  # unique: it has a number
    return versions


def _rank(stem: str) -> tuple[bool, int, str]:
    """Sort key without regard to requirements: by number, then those without a number by name."""
    number = number_of(stem)
    return number is None, number or 0, stem


def in_order_of_names(versions: Iterable[str], stem_of: Mapping[str, str]) -> list[str]:
    """By number, then those without a number by name."""
    return sorted(versions, key=lambda version: _rank(stem_of[version]))


def topological_order(requires: Mapping[str, Sequence[str]], stem_of: Mapping[str, str]) -> list[str]:
    """Versions so that each follows its requirements; otherwise by number and name.

    Of a cycle and what stands on it nothing is returned; see cycle_error.
    """
    missing = {version: set(needed) for version, needed in requires.items()}
    needed_by: dict[str, list[str]] = {version: [] for version in requires}
    for version, needed in missing.items():
        for requirement in needed:
            needed_by[requirement].append(version)
    ready = [(_rank(stem_of[version]), version) for version, needed in missing.items() if not needed]
    heapq.heapify(ready)
    order = []
    while ready:
        version = heapq.heappop(ready)[1]
        order.append(version)
        for dependent in needed_by[version]:
            missing[dependent].discard(version)
            if not missing[dependent]:
                heapq.heappush(ready, (_rank(stem_of[dependent]), dependent))
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


def requirements(applies: Mapping[str, Script], version_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Version -> the versions it requires: declared, or cautiously all that come earlier by number and name.

    Raises:
        SqlScriptError: a header names a migration that the folder does not have, or several could be meant.
    """
    requires: dict[str, list[str]] = {}
    by_name = {version: version for version in version_of.values()} | dict(version_of)
    earlier: list[str] = []
    for stem in sorted(applies, key=_rank):
        script, version = applies[stem], version_of[stem]
        declared = script.header.requires
        # What a script requires that cannot be read is not known. Only a rollback comes as far as here with one, and
        # compares the schema before COMMIT.
        requires[version] = [] if script.problem else list(earlier)
        earlier.append(version)
        if declared is None or script.problem:
            continue
        for name in declared:
            if name not in by_name:
                line, column = header_lines(script.text)["requires"]
                sharing = [other for other in applies if re.match(r"\d*", other)[0] == name]  # type: ignore[index]  # matches nothing, too
                why = f"could be {' or '.join(sharing)}" if sharing else "is no migration of this folder"
                raise UnknownRequirement(
                    "requirement_unknown", f"requires {name}, which {why}", script.path, line, column, stem
                )
        requires[version] = list(dict.fromkeys(by_name[name] for name in declared))
    return requires


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
