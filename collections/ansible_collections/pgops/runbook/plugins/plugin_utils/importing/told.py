# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration tool tells of its migrations, whichever tool it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .program import ToolFailed

__all__ = ["DOUBLED", "NOT_SQL", "Half", "Listed", "Squashed", "Tool", "could_not_say"]

NOT_SQL = "correct what PostgreSQL does not understand: {}"
DOUBLED = "look at each %%, which may have to be %"


@dataclass(frozen=True)
class Listed:
    """One migration as the tool lists it.

    Attributes:
        key: how the tool knows it: ``polls.0001_initial``, or Alembic's revision.
        name: what its files are called after their number.
        description: in one line.
        requires: keys of the migrations that it builds on.
        recorded_as: the header by which ``version_table`` knows it.
        parents: of Alembic's the revisions that it revises; of Django's nothing.
        stands_for: keys of migrations that it replaces and that are in sql_dir, so that it has nothing to do.
    """

    key: str
    name: str
    description: str
    requires: tuple[str, ...]
    recorded_as: str
    parents: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Squashed:
    """A migration of the project that replaces others.

    Attributes:
        replaces: keys of those, in their order.
        there: those of them of which the project still has the file, as the tool would list them.
    """

    replaces: tuple[str, ...]
    there: Mapping[str, Listed] = field(default_factory=dict)


@dataclass(frozen=True)
class Half:
    """A migration or its way back, as SQL.

    Attributes:
        text: the statements and comments, without BEGIN and COMMIT and without the tool's own bookkeeping.
        statements: how many there are.
        one_by_one: the tool runs it outside of a transaction, or PostgreSQL wants that.
        unfinished: what a person must write or look at, each a sentence without its full stop.
        books: the table of the tool's own bookkeeping, where statements for it were left out.
        is_sql: whether PostgreSQL's grammar takes what the tool printed.
    """

    text: str
    statements: int = 0
    one_by_one: bool = False
    unfinished: tuple[str, ...] = ()
    books: str = ""
    is_sql: bool = True


class Tool(Protocol):
    """A migration tool that is asked about one project."""

    #: As ``version_table`` names it.
    name: str
    #: As people write it.
    title: str

    def listing(self) -> list[Listed]:
        """All migrations, each after those that it requires.

        Raises:
            ToolFailed: see program.ask.
        """

    def other_database(self) -> str:
        """What the project's database is, where that is known and is not PostgreSQL; else nothing.

        Raises:
            ToolFailed: see program.ask.
        """

    def squashed(self) -> Mapping[str, Squashed]:
        """By key, the migrations of the project that replace others.

        Raises:
            ToolFailed: see program.ask.
        """

    def half(self, migration: Listed, back: bool) -> Half:
        """A migration, or its way back; what the tool could not say is unfinished."""


def could_not_say(command: str, error: ToolFailed) -> Half:
    """A half of which the tool ended with an error: a person writes it."""
    return Half("", unfinished=(f"write it: {command} ended with {error}",))
