# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with names, numbers and requirements, which only the folder as a whole shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from ...module_utils.errors import Refused, RunbookError
from ..sql.folder import unusable_names
from ..sql.layouts.choice import Layout
from ..sql.library import NAMES_OF_THE_COMMAND, Migration, SqlLibrary, name_of_the_command
from ..sql.order import cycle_error, topological_order
from ..sql.script import header_lines

__all__ = ["circles", "names_that_cannot_be", "shared_numbers"]


def names_that_cannot_be(root: Path, library: SqlLibrary) -> Iterator[RunbookError]:
    """Names by which no script can be asked for."""
    for folder in _folders_of(library.layout):
        for path, error in unusable_names(root, folder).items():
            error.details["script"] = path
            yield error
    for migration in library.migrations:
        if migration.stem in NAMES_OF_THE_COMMAND:
            error = name_of_the_command(migration.apply, migration.stem)
            error.details["script"] = migration.apply.name
            yield error


def _folders_of(layout: Layout) -> tuple[str, ...]:
    """The folders in which each .sql file is a script, whatever its name."""
    own = {"plain": ("migrations", "rollback"), "dbmate": (layout.folder,), "goose": (layout.folder,)}
    # Of Sqitch only the scripts are read that the plan names.
    beside = (
        ("precheck", "sample", "smoke")
        if layout.name == "sqitch"
        else ("precheck", "verify", "sample", "smoke")
    )
    return (*own.get(layout.name, ()), *beside)


def shared_numbers(library: SqlLibrary) -> Iterator[RunbookError]:
    """Migrations whose number others have too, so that they are known by their full names.

    Where one of them was deployed when it had the number to itself, preflight refuses all.
    """
    by_number: dict[int, list[Migration]] = {}
    for migration in library.migrations:
        if migration.number is not None and library.layout.name == "plain":
            by_number.setdefault(migration.number, []).append(migration)
    for several in by_number.values():
        names = [migration.apply.name for migration in several]
        for migration in several if len(several) > 1 else ():
            others = ", ".join(name for name in names if name != migration.apply.name)
            yield Refused(
                "version_means_several_files",
                f"its number is also that of {others}, so that only the full name stands for it. Where one of them was"
                " deployed by its number, the next deploy is refused. Give each a number of its own.",
                script=migration.apply.name,
            )


def circles(library: SqlLibrary) -> Iterator[RunbookError]:
    """Each circle of migrations that require each other, at the header of its first one."""
    requires = {migration.version: list(migration.requires) for migration in library.migrations}
    rank = {migration.version: (place,) for place, migration in enumerate(library.migrations)}
    silent = {one.version for one in library.migrations if not one.requires_declared}
    while len(order := topological_order(requires, rank)) < len(requires):
        error = cycle_error({name: requires[name] for name in requires if name not in order}, silent)
        first, second, *_ = cast(list[str], error.details["cycle"])
        requires[first].remove(second)
        apply = library.find(first).apply
        error.details["script"] = apply.name
        error.details["line"] = header_lines(apply.text).get("requires", (1, 1))[0]
        yield error
