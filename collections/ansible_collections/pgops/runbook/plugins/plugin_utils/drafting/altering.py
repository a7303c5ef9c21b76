# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The relation that an ALTER TABLE is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from pglast import ast

from .names import Name, literal, names_in, quoted
from .undo import CannotInvert, Key, Scene, Undo, part

__all__ = ["Altered", "settings"]


class Altered:
    """One relation that is altered.

    Args:
        name: as the script has it.
        head: how a statement begins that alters it, as "ALTER TABLE ONLY orders".
    """

    def __init__(self, scene: Scene, name: Name, head: str) -> None:
        self.scene = scene
        self.name = name
        self.head = head
        self.key: Key = scene.key("relation", name)
        self.born = scene.is_born("relation", name)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the database has.

        Raises:
            Unanswered, CannotInvert: it is not there.
        """
        return self.scene.relation(self.name)

    def undo(self, *actions: str, column: str = "") -> Undo:
        """Statements of one action each; about the column, or the relation itself."""
        about = self.scene.key("column", self.name, column) if column else self.key
        return Undo([f"{self.head} {action};" for action in actions], about=about, of=self.key)

    def goes_along(self, command: ast.Node) -> bool:
        """Whether it goes with a table that the script makes, and holds up nothing that is dropped before that."""
        return self.born and not self.scene.rests_on_later(self.key, names_in(command))

    def has_made(self, column: str) -> bool:
        """Whether the script has added the column, which then goes with all that it did to it."""
        return self.scene.is_born("column", self.name, column)

    def column(self, name: str) -> Mapping[str, Any]:
        """A column as the database has it.

        Raises:
            Unanswered, CannotInvert: it is not there.
        """
        return self._part("columns", name, f"column {quoted(name)} of {quoted(*self.name)}")

    def constraint(self, name: str) -> Mapping[str, Any]:
        """A constraint as the database has it.

        Raises:
            Unanswered, CannotInvert: it is not there.
        """
        return self._part("constraints", name, f"constraint {quoted(name)} on {quoted(*self.name)}")

    def _part(self, kind: str, name: str, called: str) -> Mapping[str, Any]:
        """See part()."""
        facts = part(self.facts, kind, self.scene.column_in_database(self.name, name))
        if facts is None:
            raise CannotInvert(f"The database has no {called}, so that it is not known what it was before.")
        return facts


def settings(wanted: Iterable[str], had: Iterable[str]) -> list[str]:
    """Actions that give options the values that they had, or none.

    Args:
        wanted: names, with their namespace.
        had: as the catalogs have them, "name=value".
    """
    values = dict(option.split("=", 1) for option in had)
    wanted = list(dict.fromkeys(wanted))
    back = [f"{name} = {literal(values[name])}" for name in wanted if name in values]
    gone = [name for name in wanted if name not in values]
    return [
        *([f"SET ({', '.join(back)})"] if back else []),
        *([f"RESET ({', '.join(gone)})"] if gone else []),
    ]
