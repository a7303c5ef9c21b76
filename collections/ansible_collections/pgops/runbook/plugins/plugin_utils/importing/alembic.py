# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revisions of an Alembic project, as Alembic tells them offline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..sql.order import topological_order
from .alembic_books import books_of_alembic
from .program import ToolFailed, ask
from .statements import read_printed
from .told import DOUBLED, NOT_SQL, Half, Listed, Squashed, could_not_say

__all__ = ["Alembic", "history_of", "section_of"]

# An entry of `alembic history --verbose` begins so; its message is indented below the path.
_ENTRY = re.compile(
    r"^Rev: (?P<revision>[^\s,]+)[^\n]*\n(?P<facts>(?:\S[^\n]*\n)*)(?P<message>(?:[ \t][^\n]*\n|\n)*)", re.M
)
_PARENTS = re.compile(r"^(?:Parent|Merges|Also depends on): (?P<revisions>.*)$", re.M)
_STEP = re.compile(r"^-- Running (?P<direction>upgrade|downgrade) (?P<left>.*?) -> (?P<right>.*)$", re.M)
_DIALECT = re.compile(r"Context impl (?P<name>\w+)Impl\b")
BASE = "base"


class Alembic:
    """See told.Tool."""

    name = "alembic"
    title = "Alembic"

    def __init__(self, project: Path, python: str) -> None:
        self._project = project
        self._alembic = [python, "-m", "alembic.config"]
        self._revisions: frozenset[str] = frozenset()

    def listing(self) -> list[Listed]:
        """All revisions, each after those that it revises or depends on."""
        told = ask([*self._alembic, "history", "--verbose"], self._project)
        found = history_of(told.text)
        self._revisions = frozenset(one.key for one in found)
        return found

    def other_database(self) -> str:
        """It says so only when it prints SQL, and only where alembic.ini has the log shown, as it does by default."""
        return ""

    def squashed(self) -> Mapping[str, Squashed]:
        """Alembic has none."""
        return {}

    def half(self, migration: Listed, back: bool) -> Half:
        """What it prints of one revision, between the line that begins it and that of the next one."""
        before = migration.parents[0] if migration.parents else BASE
        command = f"downgrade {migration.key}:{before}" if back else f"upgrade {before}:{migration.key}"
        try:
            told = ask([*self._alembic, *command.split(" "), "--sql"], self._project)
            section = section_of(told.text, migration.key, back)
        except ToolFailed as error:
            return could_not_say(f"alembic {command} --sql", error)
        dialect = _DIALECT.search(told.errors)
        if dialect and dialect["name"] != "Postgresql":
            return Half(section.strip(), unfinished=(f"it is that of {dialect['name']}",), is_sql=False)
        return self._half(section)

    def _half(self, section: str) -> Half:
        printed = read_printed(section, books_of_alembic(self._revisions))
        if printed.problem:
            return Half(printed.text, unfinished=(NOT_SQL.format(printed.problem),), is_sql=False)
        unfinished: tuple[str, ...] = ()
        if printed.doubled:
            unfinished = (
                f"{DOUBLED}: Alembic doubles them unless env.py gives context.configure"
                " dialect_opts={'paramstyle': 'named'}",
            )
        return Half(printed.text, printed.statements, printed.outside, unfinished, printed.books)


def history_of(told: str) -> list[Listed]:
    """What ``alembic history --verbose`` has printed, which begins with the newest; the oldest first.

    Raises:
        ToolFailed: a revision depends on the name of a branch, of which is not printed which revision it stands for.
    """
    entries = {one.key: one for one in map(_listed, reversed(list(_ENTRY.finditer(f"{told}\n"))))}
    rank = {key: (place,) for place, key in enumerate(entries)}
    requires = {key: one.requires for key, one in entries.items()}
    for key, names in requires.items():
        for name in names:
            if name not in entries:
                raise ToolFailed(
                    f"revision {key} depends on {name}, which is not a revision: name that in depends_on"
                )
    return [entries[key] for key in topological_order(requires, rank)]


def _listed(match: re.Match[str]) -> Listed:
    revision = match["revision"]
    message = next((line.strip() for line in match["message"].splitlines() if line.strip()), "")
    # Its own table takes a revision that one depends on for one that it revises.
    parents = [
        name
        for found in _PARENTS.finditer(match["facts"])
        for name in re.split(r",\s*", found["revisions"].strip())
        if name and name != "<base>"
    ]
    revises = f" revises {', '.join(parents)}" if parents else ""
    return Listed(
        revision,
        f"{revision}_{message}",
        message or revision,
        tuple(parents),
        f"{revision}{revises}",
        tuple(parents),
    )


def section_of(told: str, revision: str, back: bool) -> str:
    """The part of one revision: of a merge the branch that is missing is printed before it.

    Raises:
        ToolFailed: there is none.
    """
    steps = list(_STEP.finditer(told))
    for place, step in enumerate(steps):
        names = re.split(r"[,\s]+", step["left" if back else "right"])
        if (step["direction"] == "downgrade") is back and revision in names:
            end = steps[place + 1].start() if place + 1 < len(steps) else len(told)
            return told[step.start() : end]
    raise ToolFailed(f"it printed no step of revision {revision}")
